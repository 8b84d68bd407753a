mod sample;

use std::time::Duration;

use super::*;
use crate::domain::alarm::OnContradiction;
use crate::domain::client::{ClientAuthentication, GrantType, TokenClaim};
use crate::domain::client_address::TrustedProxies;
use crate::secret::TokenHash;

const SECRET: &str = "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_drawn";
const HASH: &str = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    load_with_clients(text, environment).map(|(config, _)| config)
}

fn load_with_clients(text: &str, environment: &[(&str, &str)]) -> Result<(Config, Vec<DeclaredClient>), ConfigError> {
    let environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Config::load_with_clients(Some((Path::new("passant.toml"), text)), environment, |path| match path.to_str() {
        Some("/run/secret") => Ok(format!("{SECRET}\n")),
        Some("/run/weak") => Ok("hunter2".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    })
}

fn refused(text: &str, environment: &[(&str, &str)]) -> ConfigError {
    load(text, environment).expect_err(text)
}

fn client(lines: &str) -> String {
    format!(
        "[[clients]]\nid = \"shop\"\nname = \"Shop\"\nauthentication = \"none\"\nredirect_uris = [\"https://shop.example/cb\"]\n{lines}"
    )
}

fn confidential(lines: &str) -> String {
    client(lines).replace("\"none\"", "\"client_secret_basic\"")
}

#[test]
fn nothing_configured_is_a_working_issuer() {
    let config = Config::load(None, [("HOME".to_owned(), "/".to_owned())]).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::for_issuer(IssuerUrl::LOCAL)));
    assert_eq!((config.issuer.as_str(), config.listen.to_string().as_str()), ("http://localhost:8080", "127.0.0.1:8080"));
    assert_eq!(config.data_dir, Path::new("./passant-data"));
    assert!(matches!(config.database.target, DatabaseTarget::Sqlite(path) if path == Path::new("./passant-data/passant.sqlite")));
    assert!(matches!(config.master_key, MasterKeySource::File(path) if path == Path::new("./passant-data/master.key")));
    assert_eq!(config.database.connections, 10);

    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let keys = Keys { period: hours(30 * 24), lead: hours(24), jwks_max_age: Duration::from_secs(300), bits: 2048 };
    let sessions =
        Sessions { idle: hours(12), absolute: hours(7 * 24), most: 0, when_full: crate::domain::session::WhenFull::EvictOldest };
    assert_eq!((config.keys, config.sessions), (keys, sessions));
    let tokens = config.tokens;
    assert_eq!(
        (tokens.access_token.get(), tokens.refresh_retry_window.get()),
        (Duration::from_secs(600), Duration::from_secs(10))
    );
    assert_eq!((tokens.refresh_idle.get(), tokens.refresh_absolute.get()), (hours(14 * 24), hours(30 * 24)));
    let Passwords { minimum_length, memory_kib, iterations, parallelism, permits, queue, wait } = config.passwords;
    assert_eq!((minimum_length, memory_kib, iterations, parallelism), (15, 19456, 2, 1));
    assert!((1..=2).contains(&permits) && queue == 64 && wait == Duration::from_secs(5));
    let [request_timeout, head_timeout, idle_timeout] = [30, 10, 60].map(Duration::from_secs);
    let (connections, connections_per_address, streams, streams_per_address) = (1024, 256, 512, 64);
    let (waiting_requests, waiting_requests_per_address, codes_per_session) = (100_000, 1_000, 60);
    let limits = Limits {
        request_timeout,
        body: 65536,
        connections,
        connections_per_address,
        streams,
        streams_per_address,
        head_timeout,
        idle_timeout,
        waiting_requests,
        waiting_requests_per_address,
        codes_per_session,
    };
    assert_eq!(
        (config.limits, config.feed.access, config.http, config.tls),
        (limits, FeedAccess::Public(vec![]), Http::default(), None)
    );
    assert_eq!(config.log, Log { format: LogFormat::Auto, filter: "info".to_owned() });
    assert_eq!(config.audit.keep, hours(400 * 24));
    assert!(config.scopes.is_empty() && config.resources.is_empty());
}

#[test]
fn commands_need_no_secret_of_the_feed_and_judge_the_rest_of_the_section() {
    let bare = |text: &str| Config::load(Some((Path::new("passant.toml"), text)), []);
    let config = bare("[feed]\naccess = \"bearer\"\nbearer_env = \"NOWHERE\"\nbearer_file = \"/nowhere\"\n").unwrap();
    assert_eq!(config.feed.access, FeedAccess::Bearer(vec![]), "which lets nobody in");
    let refused = bare("[feed]\naccess = \"bearer\"\n").unwrap_err();
    assert_eq!(refused.key, "feed.access");
}

#[test]
fn what_a_contradiction_does_and_where_metrics_are_is_said_in_words() {
    assert_eq!(load("", &[]).unwrap().feed.on_contradiction, OnContradiction::CutOff);
    let quiet = load("[feed]\non_contradiction = \"alarm\"\n", &[]).unwrap();
    assert_eq!(quiet.feed.on_contradiction, OnContradiction::Alarm);
    assert_eq!(refused("[feed]\non_contradiction = \"nothing\"\n", &[]).key, "feed.on_contradiction");
    let listen = ("PASSANT_METRICS__LISTEN", "127.0.0.1:9464");
    assert_eq!(load("", &[listen]).unwrap().metrics.listen, listen.1.parse().ok());
    assert_eq!(refused("[metrics]\nlisten = \"9464\"\n", &[]).key, "metrics.listen");
}

#[test]
fn feed_that_asks_for_a_secret_has_one_or_two_that_cannot_be_guessed() {
    let hash = |count: usize| format!("bearer_hashes = [{}]", vec![format!("{HASH:?}"); count].join(", "));
    for (lines, environment, secrets) in [
        (hash(1), &[][..], 1),
        (hash(2), &[], 2),
        ("bearer_file = \"/run/secret\"".to_owned(), &[], 1),
        ("bearer_env = \"PASSANT_FOLLOWERS\"".to_owned(), &[("PASSANT_FOLLOWERS", SECRET)], 1),
        (String::new(), &[("PASSANT_FEED__BEARER_ENV", "PASSANT_FOLLOWERS"), ("PASSANT_FOLLOWERS", SECRET)], 1),
        (hash(1), &[("PASSANT_FEED__BEARER_FILE", "/run/secret")], 2),
        (String::new(), &[("PASSANT_FEED__BEARER_HASHES", &*format!("{HASH}, {HASH}"))], 2),
    ] {
        let config = load(&format!("[feed]\naccess = \"bearer\"\n{lines}"), environment).unwrap_or_else(|why| panic!("{why}"));
        assert!(matches!(config.feed.access, FeedAccess::Bearer(hashes) if hashes.len() == secrets), "{lines}");
    }
    let known = load(&format!("[feed]\n{}", hash(2)), &[]).unwrap().feed.access;
    assert!(matches!(known, FeedAccess::Public(hashes) if hashes.len() == 2), "for whom places are kept");
    for (access, lines, key) in [
        ("bearer", String::new(), "feed.access"),
        ("bearer", hash(3), "feed.access"),
        ("bearer", hash(2) + "\nbearer_file = \"/run/secret\"", "feed.access"),
        ("public", hash(3), "feed.access"),
        ("nobody", String::new(), "feed.access"),
        ("bearer", "bearer_hashes = [\"hunter2\"]".to_owned(), "feed.bearer_hashes"),
        ("bearer", "bearer_file = \"/run/weak\"".to_owned(), "feed.bearer_file"),
        ("bearer", "bearer_file = \"/run/none\"".to_owned(), "feed.bearer_file"),
        ("bearer", "bearer_env = \"NONE\"".to_owned(), "feed.bearer_env"),
    ] {
        let error = refused(&format!("[feed]\naccess = \"{access}\"\n{lines}"), &[]);
        assert_eq!(error.key, key, "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    assert_eq!(refused("[limits]\nconnections = 100", &[]).key, "limits.connections");
    assert_eq!(refused("[limits]\nconnections = 100\nstreams = 100", &[]).key, "limits.streams");
}

#[test]
fn every_key_is_read() {
    let text = r#"
        issuer = "https://auth.example.com"
        listen = "[::]:9000"
        data_dir = "/var/lib/passant"
        database = { url = "postgres://passant@db/passant", connections = 20 }
        master_key = { command = "vault read" }
        keys = { period = "7d", lead = "2h", jwks_max_age = "1h", bits = 3072 }
        tokens = { access_token = "5m", refresh_idle = "1d", refresh_absolute = "2d", refresh_retry_window = "0s" }
        sessions = { idle = "1h", absolute = "8h" }
        http = { trusted_proxies = ["10.0.0.0/8", "192.0.2.1"] }
        tls = { certificate = "/etc/tls/chain.pem", private_key = "/etc/tls/key.pem" }
        audit = { keep = "90d" }
        feed = { access = "bearer", bearer_hashes = ["47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"], bearer_file = "/run/secret" }
        log = { format = "json", filter = "passant=debug" }
        scopes = { "orders:read" = "Read your orders" }
        resources = { "https://api.example.com" = "Orders" }
        [limits]
        request_timeout = "10s"
        body = "32 KiB"
        connections = 100
        connections_per_address = 10
        streams = 20
        streams_per_address = 5
        head_timeout = "5s"
        idle_timeout = "90s"
        waiting_requests = 640
        waiting_requests_per_address = 10
        codes_per_session = 30
        [passwords]
        minimum_length = 12
        memory_kib = 65536
        iterations = 3
        parallelism = 4
        permits = 8
        queue = 0
        wait = "1s"
        [[clients]]
        id = "shop"
        name = "Shop"
        authentication = "client_secret_post"
        secret_file = "/run/secret"
        first_party = true
        pkce_required = false
        redirect_uris = ["https://shop.example/cb"]
        grant_types = ["authorization_code", "refresh_token", "client_credentials"]
        scopes = ["openid", "orders:read"]
        resources = ["https://api.example.com"]
        default_resource = "https://api.example.com"
        access_token = "1m"
        refresh_idle = "2m"
        refresh_absolute = "3m"
        refresh_retry_window = "4s"
        token_claims = ["acr", "auth_time"]
    "#;
    let (config, clients) = load_with_clients(text, &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((config.issuer.as_str(), config.listen.to_string().as_str()), ("https://auth.example.com", "[::]:9000"));
    assert!(matches!(&config.database.target, DatabaseTarget::Postgres(url) if url.expose() == "postgres://passant@db/passant"));
    assert!(matches!(&config.master_key, MasterKeySource::Command(command) if command == "vault read"));
    assert_eq!((config.database.connections, config.keys.bits, config.limits.body), (20, 3072, 32768));
    assert_eq!((config.passwords.permits, config.passwords.queue), (8, 0));
    let Limits { connections, connections_per_address, streams, streams_per_address, head_timeout, idle_timeout, .. } =
        config.limits;
    assert_eq!((connections, connections_per_address, streams, streams_per_address), (100, 10, 20, 5));
    assert_eq!(config.feed.access, FeedAccess::Bearer(vec![TokenHash::from_stored(HASH.to_owned()), TokenHash::of(SECRET)]));
    assert_eq!((config.limits.waiting_requests, config.limits.waiting_requests_per_address), (640, 10));
    assert_eq!(config.limits.codes_per_session, 30);
    assert_eq!((head_timeout, idle_timeout), (Duration::from_secs(5), Duration::from_secs(90)));
    assert_eq!(Ok(config.http.trusted_proxies), TrustedProxies::parse(["10.0.0.0/8", "192.0.2.1"]));
    let TlsFiles { certificate, private_key } = config.tls.unwrap();
    assert_eq!((certificate.to_str(), private_key.to_str()), (Some("/etc/tls/chain.pem"), Some("/etc/tls/key.pem")));
    assert_eq!(config.audit.keep, Duration::from_secs(90 * 86_400));
    assert_eq!((config.log.format, config.sessions.idle), (LogFormat::Json, Duration::from_secs(3600)));
    let DeclaredClient { client, secret } = clients.first().unwrap();
    assert_eq!(secret.as_ref(), Some(&TokenHash::of(SECRET)));
    assert!(client.first_party && !client.pkce_required && client.authentication == ClientAuthentication::SecretPost);
    assert_eq!(client.grant_types.len(), 3);
    assert_eq!(
        (client.scopes.to_string().as_str(), &client.default_resource),
        ("openid orders:read", &client.resources.first().cloned())
    );
    let life = client.lifetimes;
    assert_eq!([life.access_token.get().as_secs(), life.refresh_idle.get().as_secs()], [60, 120]);
    assert_eq!([life.refresh_absolute.get().as_secs(), life.refresh_retry_window.get().as_secs()], [180, 4]);
    assert_eq!(client.token_claims, [TokenClaim::AuthTime, TokenClaim::Acr].into());
}

#[test]
fn a_client_that_says_little_gets_the_defaults() {
    let (config, clients) = load_with_clients(&format!("[tokens]\naccess_token = \"7m\"\n{}", client("")), &[]).unwrap();
    let DeclaredClient { client, secret } = clients.first().unwrap();
    assert!(secret.is_none() && client.pkce_required && !client.first_party && client.is_public());
    assert_eq!((&client.grant_types, client.lifetimes), (&[GrantType::AuthorizationCode].into(), config.tokens));
    assert_eq!(client.lifetimes.access_token.get(), Duration::from_secs(420));
}

#[test]
fn a_wrong_file_is_refused_with_line_key_and_reason() {
    let hash = format!("secret_hash = \"{HASH}\"\n");
    let other = client("").replace("\"Shop\"", "\"Other\"");
    let table: Vec<(String, usize, &str, &str)> = vec![
        ("\nissuer = ".into(), 2, "issuer", "string"),
        ("issuer = \"http://localhost\"\nissuer = \"http://localhost\"".into(), 2, "issuer", "duplicate key"),
        ("\nissuers = \"x\"".into(), 2, "issuers", "unknown key `issuers`, expected one of `issuer`"),
        ("issuer = \"http://auth.example.com\"".into(), 1, "issuer", "terminate TLS"),
        ("issuer = \"https://auth.example.com/\"".into(), 1, "issuer", "write https://auth.example.com"),
        ("issuer = 5".into(), 1, "issuer", "invalid type: integer"),
        ("listen = \"localhost\"".into(), 1, "listen", "127.0.0.1:8080"),
        ("[keys]\n\nperiod = \"5s\"".into(), 3, "keys.period", "5s is out of range: the shortest is 1h"),
        ("[keys]\nperiod = 30".into(), 2, "keys.period", "expected a length of time such as \"10m\""),
        ("[keys]\nperiod = \"30\"".into(), 2, "keys.period", "number with a unit"),
        ("[keys]\nperiodd = \"30d\"".into(), 2, "keys.periodd", "unknown key"),
        ("[keys]\nlead = \"31d\"".into(), 2, "keys.lead", "out of range"),
        ("[keys]\nperiod = \"2h\"".into(), 2, "keys.period", "shorter than period"),
        ("[keys]\nlead = \"9m\"".into(), 2, "keys.lead", "twice jwks_max_age"),
        ("[keys]\njwks_max_age = \"13h\"".into(), 2, "keys.jwks_max_age", "twice jwks_max_age"),
        ("[keys]\nbits = 1024".into(), 2, "keys.bits", "2048, 3072 or 4096"),
        ("keys = 5".into(), 1, "keys", "expected a section"),
        ("[tokens]\naccess_token = \"2h\"".into(), 2, "tokens.access_token", "the longest 1h"),
        ("[tokens]\nrefresh_retry_window = \"61s\"".into(), 2, "tokens.refresh_retry_window", "the longest 1m"),
        ("[tokens]\nrefresh_absolute = \"1d\"".into(), 2, "tokens.refresh_absolute", "refresh_idle must not be longer"),
        ("[sessions]\nidle = \"8d\"".into(), 2, "sessions.idle", "longer than absolute"),
        ("[database]\nurl = \"mysql://a\"".into(), 2, "database.url", "postgres://"),
        ("[database]\nurl = \"postgres://db/passant\"".into(), 2, "master_key", "give one of master_key.file"),
        ("[database]\nconnections = 0".into(), 2, "database.connections", "0 is out of range"),
        ("[database]\nconnections = -1".into(), 2, "database.connections", "-1 is below zero"),
        ("[master_key]\nfile = \"a\"\nenv = \"B\"".into(), 1, "master_key", "only one"),
        ("[master_key]\nenv = \"B\"".into(), 2, "master_key.env", "no variable B"),
        ("[limits]\nbody = \"64 kB\"".into(), 2, "limits.body", "64 KiB"),
        ("[limits]\nconnections = 0".into(), 2, "limits.connections", "0 is out of range"),
        ("[limits]\nhead_timeout = \"2m\"".into(), 2, "limits.head_timeout", "the longest 1m"),
        ("[http]\ntrusted_proxies = [\"10.0.0.1/8\"]".into(), 2, "http.trusted_proxies", "written 10.0.0.0/8"),
        ("[http]\ntrusted_proxies = [\"lb\"]".into(), 2, "http.trusted_proxies", "network such as 10.0.0.0/8"),
        ("[http]\ntrusted_proxies = [\"::/0\"]".into(), 2, "http.trusted_proxies", "choose the address"),
        ("[http]\ntrusted_proxies = 5".into(), 2, "http.trusted_proxies", "a list of addresses"),
        ("[tls]\ncertificate = \"c\"".into(), 2, "tls.certificate", "give private_key as well"),
        ("[tls]\nprivate_key = \"k\"".into(), 2, "tls.private_key", "give certificate as well"),
        ("[tls]\nprivate_key = \"k\"\ncertificate = \"c\"".into(), 3, "tls.certificate", "begins with https://"),
        ("[log]\nformat = \"xml\"".into(), 2, "log.format", "unknown variant `xml`"),
        ("[scopes]\n\"a b\" = \"x\"".into(), 2, "scopes.a b", "visible ASCII"),
        ("[scopes]\nopenid = \"x\"".into(), 2, "scopes.openid", "from the standard"),
        ("[resources]\napi = \"x\"".into(), 2, "resources.api", "absolute URI"),
        ("[[clients]]\nid = \"shop\"".into(), 1, "clients.name", "missing"),
        (client("").replace("shop\"", "a b\""), 2, "clients.id", "1 to 64"),
        (client("secret = \"x\""), 6, "clients.secret", "unknown key"),
        (format!("{}{other}", client("")), 7, "clients.id", "already"),
        (client("scopes = [\"openid\",\n\"orders\"]"), 7, "clients.scopes", "orders is not declared"),
        (client("scopes = [\"openid\",\n\"a b\"]"), 7, "clients.scopes", "visible ASCII"),
        (client("resources = [\"urn:a\"]"), 6, "clients.resources", "urn:a is not declared"),
        (
            format!("[resources]\n\"urn:a\" = \"A\"\n{}", client("default_resource = \"urn:a\"")),
            8,
            "clients.default_resource",
            "not among",
        ),
        (client("").replace("https://shop", "http://shop"), 5, "clients.redirect_uris", "use https"),
        (client("").replace("[\"https://shop.example/cb\"]", "[]"), 5, "clients.redirect_uris", "at least one"),
        (client("grant_types = [\"password\"]"), 6, "clients.grant_types", "unknown variant"),
        (client("grant_types = [\"client_credentials\"]"), 6, "clients.grant_types", "needs a client with a secret"),
        (client("pkce_required = false"), 6, "clients.pkce_required", "must use PKCE"),
        (client("access_token = \"1s\""), 6, "clients.access_token", "out of range"),
        (client("refresh_absolute = \"1d\""), 1, "clients.refresh_idle", "longer than refresh_absolute"),
        (client(&hash), 4, "clients.authentication", "has no secret"),
        (confidential(""), 4, "clients.authentication", "exactly one"),
        (confidential(&format!("{hash}secret_env = \"X\"")), 4, "clients.authentication", "exactly one"),
        (confidential("secret_hash = \"hunter2\""), 6, "clients.secret_hash", "never the secret"),
        (confidential("secret_env = \"X\""), 6, "clients.secret_env", "no variable X"),
        (confidential("secret_file = \"/run/weak\""), 6, "clients.secret_file", "too weak"),
        (confidential("secret_file = \"/run/none\""), 6, "clients.secret_file", "cannot be read"),
    ];
    for (text, line, key, reason) in table {
        let error = refused(&text, &[]);
        assert_eq!(error.place, Place::File { path: "passant.toml".into(), line }, "{text}\n{error}");
        assert_eq!(error.key, key, "{text}\n{error}");
        assert!(error.reason.contains(reason), "{text}\n{error}");
    }
}

#[test]
fn an_error_is_one_line_that_an_editor_understands() {
    let shown = refused("[keys]\nbits = 1024", &[]).to_string();
    assert_eq!(shown, "passant.toml, line 2: keys.bits: a key has 2048, 3072 or 4096 bits");
}

#[test]
fn the_environment_overrides_the_file() {
    let text = "issuer = \"https://file.example\"\n[keys]\nperiod = \"10d\"\nlead = \"3h\"\n[master_key]\nfile = \"/key\"";
    let environment = [
        ("PASSANT_ISSUER", "https://env.example"),
        ("PASSANT_DATA_DIR", "2026"),
        ("PASSANT_KEYS__PERIOD", "20d"),
        ("PASSANT_PASSWORDS__QUEUE", "7"),
        ("PASSANT_STATUS_LISTS__AGGREGATION", "true"),
        ("PASSANT_LIMITS__BODY", "1 MiB"),
        ("PASSANT_HTTP__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1"),
        ("PASSANT_DATABASE__URL", "postgres://db/passant"),
        ("PASSANT_MASTER_KEY__ENV", "PASSANT_MASTER"),
        ("PASSANT_MASTER", "the master key"),
        ("PASSANT_CONFIG", "passant.toml"),
    ];
    let config = load(text, &environment).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((config.issuer.as_str(), config.data_dir.as_path()), ("https://env.example", Path::new("2026")));
    assert_eq!((config.keys.period, config.keys.lead), (Duration::from_secs(20 * 86_400), Duration::from_secs(3 * 3600)));
    assert_eq!((config.passwords.queue, config.limits.body, config.status_lists.aggregation), (7, 1 << 20, true));
    assert_eq!(Ok(config.http.trusted_proxies), TrustedProxies::parse(["10.0.0.0/8", "192.0.2.1"]));
    assert!(matches!(&config.database.target, DatabaseTarget::Postgres(url) if url.expose() == "postgres://db/passant"));
    assert!(matches!(&config.master_key, MasterKeySource::Variable { value, .. } if value.expose() == "the master key"));
}

#[test]
fn a_wrong_variable_is_refused_by_its_name() {
    let table = [
        ("PASSANT_ISSUR", "x", "issur", "unknown key"),
        ("PASSANT_ISSUER", "http://auth.example.com", "issuer", "terminate TLS"),
        ("PASSANT_KEYS__PERIODD", "1d", "keys.periodd", "unknown key"),
        ("PASSANT_KEYS__PERIOD", "soon", "keys.period", "number with a unit"),
        ("PASSANT_KEYS__LEAD", "1m", "keys.lead", "twice jwks_max_age"),
        ("PASSANT_KEYS__PERIOD__X", "1d", "keys.period.x", "no such key"),
        ("PASSANT_STATUS_LISTS__AGGREGATION", "perhaps", "status_lists.aggregation", "not true or false"),
        ("PASSANT_STATUS_LISTS__TTL", "4s", "status_lists.ttl", "5s"),
        ("PASSANT_DATABASE__CONNECTIONS", "many", "database.connections", "not a number"),
        ("PASSANT_DATABASE", "postgres://u:hunter2@db", "database", "expected is a section"),
        ("PASSANT_CLIENTS__ID", "x", "clients.id", "file only"),
        ("PASSANT_SCOPES__X", "x", "scopes.x", "file only"),
        ("PASSANT_", "x", "", "unknown key"),
    ];
    for (name, value, key, reason) in table {
        let error = refused("[keys]\nbits = 2048\n", &[(name, value)]);
        assert_eq!((&error.place, error.key.as_str()), (&Place::Variable(name.to_owned()), key), "{error}");
        assert!(
            error.reason.contains(reason) && error.to_string().contains(name) && !error.to_string().contains("hunter2"),
            "{error}"
        );
    }
}

#[test]
fn a_secret_comes_from_the_variable_that_the_file_names() {
    let text = confidential("secret_env = \"PASSANT_SHOP_SECRET\"");
    let (_, clients) = load_with_clients(&text, &[("PASSANT_SHOP_SECRET", SECRET)]).unwrap();
    assert_eq!(clients.first().unwrap().secret, Some(TokenHash::of(SECRET)));
    let weak = refused(&confidential("secret_env = \"SHOP\""), &[("SHOP", "hunter2")]);
    assert!(weak.reason.contains("too weak") && !weak.to_string().contains("hunter2"));
}

#[test]
fn secrets_that_are_not_there_stop_only_whoever_needs_them() {
    let without = |text: &str| Config::load(Some((Path::new("passant.toml"), text)), []).map(drop);
    for secret in ["secret_env = \"SHOP\"", "secret_file = \"/run/none\""] {
        assert!(load_with_clients(&confidential(secret), &[]).is_err(), "{secret}");
        assert_eq!(without(&confidential(secret)), Ok(()), "{secret}");
    }
    let wrong = without(&confidential("secret_env = \"SHOP\"\nsecret_file = \"/run/secret\"")).unwrap_err();
    assert!(wrong.reason.contains("exactly one"), "what is wrong in the file itself is told all the same: {wrong}");
    assert!(without(&confidential("")).is_err());
    for secret in ["bearer_env = \"FEED\"", "bearer_file = \"/run/none\""] {
        let feed = format!("[feed]\naccess = \"bearer\"\n{secret}");
        assert!(load(&feed, &[]).is_err(), "{secret}");
        assert_eq!(without(&feed), Ok(()), "{secret}");
    }
    assert!(without("[feed]\naccess = \"bearer\"").is_err());
}

#[test]
fn neither_debug_nor_an_error_shows_a_secret() {
    let text = format!(
        "[database]\nurl = \"postgres://passant:hunter2@db:5433/passant?password=hunter3\"\n[master_key]\nenv = \"KEY\"\n{}",
        confidential("secret_env = \"SHOP\"")
    );
    let shown = format!("{:?}", load_with_clients(&text, &[("KEY", "hunter4"), ("SHOP", SECRET)]).unwrap());
    assert!(!shown.contains("hunter") && !shown.contains(SECRET) && !shown.contains(TokenHash::of(SECRET).as_str()), "{shown}");
    assert!(shown.contains("postgres://db:5433/passant"), "{shown}");
    for wrong in [
        "database = \"postgres://u:hunter2@db\"",
        "[database]\nurl = \"mysql://u:hunter2@db\"",
        "clients = \"hunter2\"",
        "[keys]\nbits = \"hunter2\"",
        "[database]\nconnections = \"hunter2\"",
    ] {
        assert!(!refused(wrong, &[]).to_string().contains("hunter2"), "{wrong}");
    }
}
