//! Setting a profile's claims by name. What a claim may say is decided here, so that every token and every answer of /userinfo can
//! repeat it as it stands.

use super::profile::{Address, Profile};
use super::text::{is_misleading, is_uri_text, named_values};

named_values!(
    /// A claim of a [`Profile`] (OpenID Connect Core, section 5.1); those of the postal address begin with `address.`.
    ProfileClaim {
        /// Given names.
        GivenName = "given_name",
        /// Family names.
        FamilyName = "family_name",
        /// Middle names.
        MiddleName = "middle_name",
        /// A casual name.
        Nickname = "nickname",
        /// The URL of a page about the person.
        Profile = "profile",
        /// The URL of a picture.
        Picture = "picture",
        /// The URL of the person's own page.
        Website = "website",
        /// As the person says.
        Gender = "gender",
        /// `YYYY-MM-DD`, `0000-MM-DD` or `YYYY`.
        Birthdate = "birthdate",
        /// A time zone.
        Zoneinfo = "zoneinfo",
        /// A language tag.
        Locale = "locale",
        /// As on an envelope.
        AddressFormatted = "address.formatted",
        /// Street and house number.
        AddressStreetAddress = "address.street_address",
        /// City.
        AddressLocality = "address.locality",
        /// State or province.
        AddressRegion = "address.region",
        /// Postal code.
        AddressPostalCode = "address.postal_code",
        /// Country.
        AddressCountry = "address.country",
    }
);

/// Why a text cannot be the value of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClaim {
    /// Too long, empty, or with characters that cannot be shown.
    #[error("a text has 1 to {} characters and no control characters", LONGEST_TEXT)]
    Text,
    /// The same of an address, which may have lines.
    #[error("an address has 1 to {} characters, in lines without control characters", LONGEST_LINES)]
    Lines,
    /// No https URL.
    #[error("this must be an https URL of at most 2048 bytes")]
    Url,
    /// No day, no year.
    #[error("a birthdate is YYYY-MM-DD, 0000-MM-DD without the year, or YYYY alone")]
    Birthdate,
    /// No time zone.
    #[error("a time zone is a name of the IANA database, such as Europe/Berlin")]
    Zoneinfo,
    /// No language.
    #[error("a locale is a language tag (BCP 47), such as de or en-GB")]
    Locale,
}

const LONGEST_TEXT: usize = 200;
const LONGEST_LINES: usize = 500;

impl Profile {
    /// Sets a claim, or removes it.
    pub fn set(&mut self, claim: ProfileClaim, value: Option<&str>) -> Result<(), InvalidClaim> {
        value.map_or(Ok(()), |value| check(claim, value))?;
        *self.slot(claim) = value.map(str::to_owned);
        if self.address.as_ref() == Some(&Address::default()) {
            self.address = None;
        }
        Ok(())
    }

    fn slot(&mut self, claim: ProfileClaim) -> &mut Option<String> {
        use ProfileClaim as Claim;
        match claim {
            Claim::GivenName => &mut self.given_name,
            Claim::FamilyName => &mut self.family_name,
            Claim::MiddleName => &mut self.middle_name,
            Claim::Nickname => &mut self.nickname,
            Claim::Profile => &mut self.profile,
            Claim::Picture => &mut self.picture,
            Claim::Website => &mut self.website,
            Claim::Gender => &mut self.gender,
            Claim::Birthdate => &mut self.birthdate,
            Claim::Zoneinfo => &mut self.zoneinfo,
            Claim::Locale => &mut self.locale,
            Claim::AddressFormatted => &mut self.address.get_or_insert_default().formatted,
            Claim::AddressStreetAddress => &mut self.address.get_or_insert_default().street_address,
            Claim::AddressLocality => &mut self.address.get_or_insert_default().locality,
            Claim::AddressRegion => &mut self.address.get_or_insert_default().region,
            Claim::AddressPostalCode => &mut self.address.get_or_insert_default().postal_code,
            Claim::AddressCountry => &mut self.address.get_or_insert_default().country,
        }
    }
}

/// Whether a text of one line can be shown to people, as a name is.
pub fn text_can_be_shown(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= LONGEST_TEXT && !text.contains(is_misleading)
}

fn check(claim: ProfileClaim, value: &str) -> Result<(), InvalidClaim> {
    use ProfileClaim as Claim;
    let (holds, otherwise) = match claim {
        Claim::GivenName | Claim::FamilyName | Claim::MiddleName | Claim::Nickname | Claim::Gender => {
            (text_can_be_shown(value), InvalidClaim::Text)
        }
        Claim::AddressLocality | Claim::AddressRegion | Claim::AddressPostalCode | Claim::AddressCountry => {
            (text_can_be_shown(value), InvalidClaim::Text)
        }
        Claim::AddressFormatted | Claim::AddressStreetAddress => (lines_can_be_shown(value), InvalidClaim::Lines),
        Claim::Profile | Claim::Picture | Claim::Website => (is_https(value), InvalidClaim::Url),
        Claim::Birthdate => (is_birthdate(value), InvalidClaim::Birthdate),
        Claim::Zoneinfo => (is_zoneinfo(value), InvalidClaim::Zoneinfo),
        Claim::Locale => (is_language_tag(value), InvalidClaim::Locale),
    };
    if holds { Ok(()) } else { Err(otherwise) }
}

fn lines_can_be_shown(text: &str) -> bool {
    let shown = text.lines().all(|line| !line.contains(is_misleading));
    shown && !text.trim().is_empty() && text.chars().count() <= LONGEST_LINES
}

fn is_https(text: &str) -> bool {
    text.len() <= 2048
        && text.starts_with("https://")
        && is_uri_text(text)
        && url::Url::parse(text)
            .is_ok_and(|url| url.host_str().is_some() && url.username().is_empty() && url.password().is_none())
}

fn is_birthdate(text: &str) -> bool {
    let digits = |part: &str, length: usize| {
        (part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<u16>().ok()).flatten()
    };
    let mut parts = text.split('-');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(year), None, None, None) => digits(year, 4).is_some_and(|year| year > 0),
        (Some(year), Some(month), Some(day), None) => match (digits(year, 4), digits(month, 2), digits(day, 2)) {
            // Without its year, a day may be that of a leap year.
            (Some(year), Some(month), Some(day)) => is_day(if year == 0 { 2000 } else { year }, month, day),
            _ => false,
        },
        _ => false,
    }
}

fn is_day(year: u16, month: u16, day: u16) -> bool {
    let month = u8::try_from(month).ok().and_then(|month| time::Month::try_from(month).ok());
    month.zip(u8::try_from(day).ok()).is_some_and(|(month, day)| time::Date::from_calendar_date(year.into(), month, day).is_ok())
}

fn is_zoneinfo(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
    let part = |part: &str| part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.bytes().all(allowed);
    text.len() <= 64 && text.split('/').all(part)
}

fn is_language_tag(text: &str) -> bool {
    let subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let language = text.split('-').next().unwrap_or_default();
    text.len() <= 64
        && (2..=8).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && text.split('-').all(subtag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_claim_says_what_its_kind_allows() {
        use InvalidClaim as Why;
        let (long, long_url) = ("x".repeat(201), format!("https://a.example/{}", "x".repeat(2048)));
        for (claim, good, bad, why) in [
            ("given_name", &["Ada", "\u{c9}milie du"][..], &["", " ", "a\nb", "a\u{202e}b", "\u{200b}x", &long][..], Why::Text),
            ("address.postal_code", &["12345"], &["1\u{0}"], Why::Text),
            ("address.formatted", &["1 Lane\nTown", "1 Lane\r\nTown"], &["", "a\tb", "a\u{1b}[0m"], Why::Lines),
            (
                "picture",
                &["https://a.example/p.png?x=%20"],
                &["http://a.example/", "javascript:alert(1)", "https://", "https://a b", "https://u:p@a.example/", &long_url],
                Why::Url,
            ),
            (
                "birthdate",
                &["1815-12-10", "0000-02-29", "1815", "2000-02-29"],
                &["1815-13-01", "1815-02-30", "1900-02-29", "0000", "15", "1815-1-1", "1815-12", "1815-12-10-1", "+815", ""],
                Why::Birthdate,
            ),
            (
                "zoneinfo",
                &["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+1"],
                &["", "/Berlin", "Europe/", "../etc", "Europe Berlin"],
                Why::Zoneinfo,
            ),
            ("locale", &["de", "en-GB", "zh-Hant-TW", "de-1996"], &["", "d", "en_GB", "en-", "12", "en-toolongsub"], Why::Locale),
        ] {
            let claim: ProfileClaim = claim.parse().unwrap();
            for good in good {
                let mut profile = Profile::default();
                assert_eq!(profile.set(claim, Some(good)), Ok(()), "{claim} {good:?}");
                assert_eq!(profile.slot(claim).as_deref(), Some(*good));
            }
            for bad in bad {
                let mut profile = Profile::default();
                assert_eq!(profile.set(claim, Some(bad)), Err(why), "{claim} {bad:?}");
                assert_eq!(profile, Profile::default(), "a refused claim changes nothing");
            }
        }
    }

    #[test]
    fn an_address_of_which_nothing_is_left_is_none() {
        let mut profile = Profile::default();
        profile.set(ProfileClaim::AddressLocality, Some("London")).unwrap();
        assert!(profile.address.is_some());
        profile.set(ProfileClaim::AddressLocality, None).unwrap();
        assert_eq!(profile, Profile::default());
    }

    #[test]
    fn every_claim_has_a_place_of_its_own() {
        let mut profile = Profile::default();
        for claim in ProfileClaim::ALL {
            *profile.slot(*claim) = Some(claim.to_string());
        }
        assert!(ProfileClaim::ALL.iter().all(|claim| profile.slot(*claim).as_deref() == Some(claim.as_str())));
    }
}
