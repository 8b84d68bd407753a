//! Prepared keys, so that tests need not generate any.

pub(crate) const FIXTURES: [&str; 8] = [
    include_str!("../../../tests/fixtures/keys/0.json"),
    include_str!("../../../tests/fixtures/keys/1.json"),
    include_str!("../../../tests/fixtures/keys/2.json"),
    include_str!("../../../tests/fixtures/keys/3.json"),
    include_str!("../../../tests/fixtures/keys/4.json"),
    include_str!("../../../tests/fixtures/keys/5.json"),
    include_str!("../../../tests/fixtures/keys/6.json"),
    include_str!("../../../tests/fixtures/keys/7.json"),
];
