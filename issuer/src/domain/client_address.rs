//! Whose address a request came from, when it may have come through proxies. Anybody can write a forwarded header, so it counts
//! only as far as the chain of trusted proxies reaches from the connection itself (the attack: CVE-2024-47070).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// The networks whose word about a client's address is taken. Empty: nobody's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// Why a text names no network of proxies.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidProxy {
    /// Neither an address nor a network.
    #[error("a trusted proxy is an address or a network such as 10.0.0.0/8")]
    NotANetwork,
    /// An address with bits behind its prefix: one of the two is a mistake.
    #[error("this network is written {0}")]
    Spelling(IpNet),
    /// Everybody would be a proxy, and every address anybody's choice.
    #[error("a network of all addresses would let everybody choose the address they seem to come from")]
    Everybody,
}

impl TrustedProxies {
    /// Reads networks and single addresses.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, InvalidProxy> {
        texts.into_iter().map(network).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address is a trusted proxy's.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn network(text: &str) -> Result<IpNet, InvalidProxy> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let network: IpNet = text.parse().map_err(|_| InvalidProxy::NotANetwork)?;
    match network.trunc() {
        _ if network.prefix_len() == 0 => Err(InvalidProxy::Everybody),
        truncated if truncated == network => Ok(network),
        truncated => Err(InvalidProxy::Spelling(truncated)),
    }
}

/// What a request says about the hops it came by, line by line in the order of the lines. A line that is not ASCII is given as `?`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Forwarding<'a> {
    /// The lines of `X-Forwarded-For`.
    pub x_forwarded_for: Vec<&'a str>,
    /// The lines of `Forwarded` (RFC 7239), which are looked at only where there is no `X-Forwarded-For`.
    pub forwarded: Vec<&'a str>,
}

/// The address of the client: the peer's own, unless the peer is a trusted proxy. Then the hops are followed from the right as long
/// as they are trusted proxies too, and the first that is not is the client: what stands further left is the client's own word.
/// Where that hop cannot be read, the client is the peer. Where every hop is a trusted proxy, it is the left-most.
pub fn client_address(peer: IpAddr, forwarding: &Forwarding<'_>, trusted: &TrustedProxies) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusted.contain(peer) {
        return peer;
    }
    // Split at every comma, in quotes or not: no address has one, and a client's unbalanced quote must not swallow the hop that a
    // proxy wrote behind it.
    let (lines, address): (_, fn(&str) -> Option<IpAddr>) = match forwarding.x_forwarded_for.as_slice() {
        [] => (forwarding.forwarded.as_slice(), node_of_element),
        lines => (lines, node),
    };
    let hops = lines.iter().flat_map(|line| line.split(',')).map(str::trim).filter(|hop| !hop.is_empty());
    let mut client = peer;
    for hop in hops.collect::<Vec<_>>().into_iter().rev() {
        let Some(hop) = address(hop) else { return peer };
        client = hop;
        if !trusted.contain(hop) {
            break;
        }
    }
    client
}

/// The node of one element of `Forwarded`: exactly one `for`.
fn node_of_element(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut nodes = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value.trim());
    match (nodes.next(), nodes.next()) {
        (Some(value), None) => {
            let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            node(quoted.unwrap_or(value))
        }
        _ => None,
    }
}

/// An address, perhaps with a port, which some proxies add.
fn node(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = text.parse().or_else(|_| text.parse::<SocketAddr>().map(|at| at.ip()));
    let address = bracketed.map_or(address.ok(), |inside| inside.parse().ok().filter(IpAddr::is_ipv6));
    address.map(|address| address.to_canonical())
}

impl<'de> Deserialize<'de> for TrustedProxies {
    /// A list, or in a variable of the environment one text with commas.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Networks;

        impl<'de> Visitor<'de> for Networks {
            type Value = TrustedProxies;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of addresses and networks")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<TrustedProxies, E> {
                let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
                TrustedProxies::parse(texts).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<TrustedProxies, A::Error> {
                let mut networks = Vec::new();
                while let Some(text) = seq.next_element::<String>()? {
                    networks.push(network(&text).map_err(A::Error::custom)?);
                }
                Ok(TrustedProxies(networks))
            }
        }

        deserializer.deserialize_any(Networks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted() -> TrustedProxies {
        TrustedProxies::parse(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[track_caller]
    fn assert_client(peer: &str, x_forwarded_for: &[&str], forwarded: &[&str], client: &str) {
        let forwarding = Forwarding { x_forwarded_for: x_forwarded_for.to_vec(), forwarded: forwarded.to_vec() };
        assert_eq!(client_address(address(peer), &forwarding, &trusted()), address(client), "{forwarding:?} from {peer}");
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        for peer in ["203.0.113.9", "::1", "127.0.0.1", "192.0.2.2", "11.0.0.1"] {
            assert_client(peer, &["198.51.100.1"], &["for=198.51.100.2"], peer);
        }
        let forwarding = Forwarding { x_forwarded_for: vec!["198.51.100.1"], ..Forwarding::default() };
        assert_eq!(client_address(address("10.0.0.1"), &forwarding, &TrustedProxies::default()), address("10.0.0.1"));
    }

    #[test]
    fn client_is_the_right_most_hop_that_is_not_trusted() {
        for (lines, client) in [
            (&["198.51.100.1"][..], "198.51.100.1"),
            (&["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            (&["1.1.1.1, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
            (&["1.1.1.1,198.51.100.1", "10.9.9.9 ,\t192.0.2.1"], "198.51.100.1"),
            (&["10.0.0.5, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
            (&["2001:db8::1, 2001:db9::1"], "2001:db9::1"),
            (&["198.51.100.1:4711"], "198.51.100.1"),
            (&["[2001:db9::1]:4711"], "2001:db9::1"),
            (&["[2001:db9::1]"], "2001:db9::1"),
            (&["::ffff:198.51.100.1"], "198.51.100.1"),
            (&["198.51.100.1,, ,"], "198.51.100.1"),
        ] {
            assert_client("10.0.0.1", lines, &[], client);
            assert_client("::ffff:10.0.0.1", lines, &["for=9.9.9.9"], client);
        }
    }

    #[test]
    fn what_a_client_wrote_to_the_left_of_its_own_hop_changes_nothing() {
        for own in ["garbage", "\"", "10.0.0.3", "?", "for=\"", "999.1.1.1", "unknown", "a;b=c"] {
            assert_client("10.0.0.1", &[&format!("{own}, 198.51.100.1")], &[], "198.51.100.1");
            assert_client("10.0.0.1", &[own, "198.51.100.1"], &[], "198.51.100.1");
            assert_client("10.0.0.1", &[], &[&format!("{own}, for=198.51.100.1")], "198.51.100.1");
            assert_client("10.0.0.1", &[], &[own, "for=198.51.100.1;proto=https"], "198.51.100.1");
        }
    }

    #[test]
    fn hop_that_cannot_be_read_is_the_peer() {
        for hop in
            ["garbage", "?", "999.1.1.1", "198.51.100.1/24", "localhost", "198.51.100.1:x", "[198.51.100.1]", "198.51.100.01"]
        {
            assert_client("10.0.0.1", &[&format!("198.51.100.1, {hop}")], &[], "10.0.0.1");
            assert_client("10.0.0.1", &[&format!("198.51.100.1, {hop}, 10.0.0.2")], &[], "10.0.0.1");
        }
        for element in
            ["for=unknown", "for=_hidden", "proto=https", "for=198.51.100.1;for=198.51.100.2", "for", "for=\"198.51.100.1"]
        {
            assert_client("10.0.0.1", &[], &[element], "10.0.0.1");
        }
    }

    #[test]
    fn forwarded_counts_only_where_there_is_no_x_forwarded_for() {
        for (lines, client) in [
            (&["for=198.51.100.1"][..], "198.51.100.1"),
            (&["For=\"[2001:db9::17]:4711\""], "2001:db9::17"),
            (&["for=1.1.1.1, for=198.51.100.1;by=10.0.0.9;proto=https"], "198.51.100.1"),
            (&["host=x;for=198.51.100.1", "by=10.0.0.4; for=\"10.0.0.3:80\""], "198.51.100.1"),
        ] {
            assert_client("10.0.0.1", &[], lines, client);
            assert_client("10.0.0.1", &["203.0.113.1"], lines, "203.0.113.1");
            assert_client("10.0.0.1", &["?"], lines, "10.0.0.1");
        }
    }

    #[test]
    fn chain_of_trusted_hops_begins_at_its_left_and_no_hops_are_the_peer() {
        assert_client("10.0.0.1", &["10.0.0.7, 10.0.0.8"], &[], "10.0.0.7");
        assert_client("10.0.0.1", &[], &[], "10.0.0.1");
        assert_client("10.0.0.1", &["", " , "], &[], "10.0.0.1");
    }

    #[test]
    fn network_that_says_two_things_or_everything_is_refused() {
        for (text, why) in [
            ("10.1.2.3/8", InvalidProxy::Spelling("10.0.0.0/8".parse().unwrap())),
            ("0.0.0.0/0", InvalidProxy::Everybody),
            ("::/0", InvalidProxy::Everybody),
            ("10.0.0.0/33", InvalidProxy::NotANetwork),
            ("proxy.example", InvalidProxy::NotANetwork),
            ("", InvalidProxy::NotANetwork),
        ] {
            assert_eq!(TrustedProxies::parse([text]), Err(why), "{text}");
        }
    }
}
