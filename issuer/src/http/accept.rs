//! Content negotiation (RFC 9110, section 12.5.1) for endpoints that have one form to offer.

use axum::http::{HeaderMap, header};

/// Whether the request takes this media type. Whoever says nothing, or nothing that can be read, takes anything.
pub(super) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let ranges: Vec<Range<'_>> = lines.flat_map(|line| line.split(',')).filter_map(Range::parse).collect();
    // The range that names it most closely decides.
    let closest = ranges.iter().filter_map(|range| Some((range.closeness(media_type)?, range.wanted))).max();
    ranges.is_empty() || closest.is_some_and(|(_, wanted)| wanted)
}

struct Range<'a> {
    name: &'a str,
    wanted: bool,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().filter(|name| name.contains('/'))?;
        let quality = parts.filter_map(|part| part.split_once('=')).find(|(key, _)| key.trim().eq_ignore_ascii_case("q"));
        let wanted = quality.and_then(|(_, value)| value.trim().parse::<f32>().ok()).is_none_or(|quality| quality > 0.0);
        Some(Self { name, wanted })
    }

    fn closeness(&self, media_type: &str) -> Option<u8> {
        let of_type = |main: &str| media_type.split_once('/').is_some_and(|(own, _)| own.eq_ignore_ascii_case(main));
        match self.name.split_once('/') {
            Some(("*", "*")) => Some(0),
            Some((main, "*")) if of_type(main) => Some(1),
            _ if self.name.eq_ignore_ascii_case(media_type) => Some(2),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(accept: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for line in accept {
            headers.append(header::ACCEPT, line.parse().unwrap());
        }
        accepts(&headers, "application/statuslist+jwt")
    }

    #[test]
    fn the_closest_range_decides() {
        for good in [
            &[][..],
            &[""],
            &["*/*"],
            &["application/*"],
            &["application/statuslist+jwt"],
            &["Application/StatusList+JWT;q=0.1"],
            &["application/statuslist+cwt, application/statuslist+jwt;q=0.5"],
            &["text/html", "*/*;q=0.1"],
            &["*/*;q=0, application/statuslist+jwt"],
            &["nonsense"],
        ] {
            assert!(takes(good), "{good:?}");
        }
        for bad in [
            &["application/statuslist+cwt"][..],
            &["application/json", "text/*"],
            &["*/*;q=0"],
            &["application/statuslist+jwt;q=0, */*"],
            &["application/statuslist+jwt; Q = 0.000"],
            &["text/*"],
        ] {
            assert!(!takes(bad), "{bad:?}");
        }
    }
}
