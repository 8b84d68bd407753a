//! The binary is killed in the middle of its work, again and again, and the operator's commands with it: what was acknowledged stays
//! revoked, by whatever cause, and what was broken off is done or not done, but never half.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use passant_tests::binary::passant;
use passant_tests::running::Running;
use passant_tests::world::World;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::*;

const ROUNDS: usize = 4;
/// What is revoked in a round over HTTP, and by whom at a time.
const OVER_HTTP: (usize, usize) = (40, 4);
/// The same by commands, which write to the database beside the server.
const BY_COMMAND: (usize, usize) = (10, 1);
const NEXT: &str = "a loom that weaves flowers";

/// What kills a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    TokenRevoked,
    SessionEnded,
    PasswordChanged,
    ConsentWithdrawn,
    UserDisabled,
    SecretLeaked,
}

const HTTP_ACTS: [Act; 4] = [Act::TokenRevoked, Act::SessionEnded, Act::PasswordChanged, Act::ConsentWithdrawn];
const COMMANDS: [Act; 2] = [Act::UserDisabled, Act::SecretLeaked];

/// A token, and what its revocation needs.
struct Victim {
    act: Act,
    token: Tokens,
    /// The user's name or the client's id.
    name: String,
    /// Of the browser that acts.
    cookies: String,
    csrf: String,
}

/// What became of an attempt.
#[derive(Debug)]
enum Outcome {
    Acknowledged,
    Refused(String),
    /// It had been begun when the other side was killed.
    BrokenOff,
    /// Nobody was there to begin it.
    Unreached,
}

/// An issuer's database, the binary that serves it, and what is to be revoked.
struct Work {
    world: Arc<World>,
    listen: String,
    client: Registered,
    http: reqwest::Client,
    victims: Vec<Victim>,
    /// Where the next of each round's two kinds is.
    next: [AtomicUsize; 2],
    acknowledged: Mutex<Vec<usize>>,
    count: watch::Sender<usize>,
    killed: watch::Sender<bool>,
    broken_off: AtomicUsize,
}

impl Work {
    /// Makes everything in process, with keys and secrets that the binary shares, and closes the database.
    async fn prepared(engine: Engine) -> (Self, [Tokens; 2]) {
        let mut served = Served::in_real_time(engine, |_| {}).await;
        let world = Arc::clone(&served.world);
        let batch = world.client("batch", |_| {}).await;
        // Another company's, so that consent is asked for and remembered.
        let shop = world.client("shop", |it| it.first_party = false).await;
        let own = async |client: &Registered| Tokens::of(&client.token(&world, &[("grant_type", "client_credentials")]).await);
        let mut victims = Vec::new();
        for number in 0..ROUNDS * (OVER_HTTP.0 + BY_COMMAND.0) {
            let of_round = number % (OVER_HTTP.0 + BY_COMMAND.0);
            let act = if of_round < OVER_HTTP.0 { HTTP_ACTS[number % 4] } else { COMMANDS[number % 2] };
            let name = format!("victim-{number}");
            let mut victim = Victim { act, token: own(&batch).await, name, cookies: String::new(), csrf: String::new() };
            match act {
                Act::TokenRevoked => {}
                Act::SecretLeaked => victim.token = own(&world.client(&victim.name, |_| {}).await).await,
                Act::SessionEnded | Act::PasswordChanged | Act::ConsentWithdrawn | Act::UserDisabled => {
                    world.user(&victim.name, ADA.1).await;
                    let mut agent = world.agent();
                    victim.token = agent.tokens(&shop, (&victim.name, ADA.1), &[]).await;
                    victim.csrf = agent.get("/").await.field("csrf").unwrap();
                    let jar = agent.cookies().iter().map(|(name, value)| format!("{name}={value}"));
                    victim.cookies = jar.collect::<Vec<_>>().join("; ");
                }
            }
            victims.push(victim);
        }
        world.user(ADA.0, ADA.1).await;
        let untouched = [own(&batch).await, world.agent().tokens(&shop, ADA, &[]).await];
        served.stop().await;
        let listen = served.issuer.replace("http://localhost", "127.0.0.1");
        drop(served);
        // Nobody but the binary has it open: what a kill leaves behind is for the next one to recover.
        world.db().close().await;
        // A connection for each request: what fails on one that was made was in flight.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let (next, acknowledged, count) = (<[AtomicUsize; 2]>::default(), Mutex::default(), watch::Sender::new(0));
        let (killed, broken_off) = (watch::Sender::new(false), AtomicUsize::new(0));
        (Self { world, listen, client: batch, http, victims, next, acknowledged, count, killed, broken_off }, untouched)
    }

    async fn start(&self) -> Running {
        let mut running = Running::start(self.binary(&["serve", "--listen", &self.listen]));
        running.until("Passant is ready").await;
        running
    }

    fn binary(&self, arguments: &[&str]) -> Command {
        let (arguments, environment) = self.world.invocation(arguments);
        let mut command = Command::new(passant());
        command.args(arguments).envs(environment).kill_on_drop(true);
        command
    }

    /// A verifier that has just begun.
    async fn verifier(&self) -> Verifier {
        let issuer = self.world.app.config.issuer.as_str();
        let verifier = Verifier::builder().issuer(issuer).dangerous_accept_any_audience().build().unwrap();
        verifier.ready(PATIENCE).await.unwrap();
        verifier
    }

    async fn attempt(&self, victim: &Victim) -> Outcome {
        let csrf = ("csrf", victim.csrf.as_str());
        match victim.act {
            Act::TokenRevoked => self.post("/revoke", victim, &[("token", victim.token.access())]).await,
            Act::SessionEnded => self.post("/logout", victim, &[csrf]).await,
            Act::PasswordChanged => self.post("/account/password", victim, &[csrf, ("current", ADA.1), ("new", NEXT)]).await,
            Act::ConsentWithdrawn => self.post("/account/applications/withdraw", victim, &[csrf, ("client", "shop")]).await,
            Act::UserDisabled => self.command(&["users", "disable", &victim.name]).await,
            Act::SecretLeaked => self.command(&["clients", "rotate-secret", &victim.name, "--leaked"]).await,
        }
    }

    async fn post(&self, path: &str, victim: &Victim, fields: &[(&str, &str)]) -> Outcome {
        let issuer = &self.world.app.config.issuer;
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = self.http.post(issuer.join(path)).body(body).header("accept", "application/json");
        request = request.header("content-type", "application/x-www-form-urlencoded").header("origin", issuer.origin());
        request = match victim.act {
            Act::TokenRevoked => request.basic_auth(self.client.id(), self.client.secret.as_deref()),
            _ => request.header("cookie", &victim.cookies),
        };
        let answered = async {
            let answer = request.send().await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status.is_success(), format!("{path}: {status} {}", answer.text().await?)))
        };
        match answered.await {
            Ok((true, _)) => Outcome::Acknowledged,
            Ok((false, said)) => Outcome::Refused(said),
            Err(why) if why.is_connect() => Outcome::Unreached,
            Err(_) => Outcome::BrokenOff,
        }
    }

    /// A command dies with the server.
    async fn command(&self, arguments: &[&str]) -> Outcome {
        let mut killed = self.killed.subscribe();
        if *killed.borrow() {
            return Outcome::Unreached;
        }
        let running = self.binary(&[&["--json"], arguments].concat()).output();
        tokio::select! {
            output = running => match output.unwrap() {
                output if output.status.success() => Outcome::Acknowledged,
                output => Outcome::Refused(String::from_utf8_lossy(&output.stdout).into_owned()),
            },
            _ = killed.wait_for(|killed| *killed) => Outcome::BrokenOff,
        }
    }

    /// Revokes one after another of a kind up to this number, until the other side is gone.
    async fn revoke_until(&self, kind: usize, end: usize) {
        loop {
            let number = self.next[kind].fetch_add(1, Ordering::SeqCst);
            if number >= end {
                return;
            }
            match self.attempt(&self.victims[number]).await {
                Outcome::Acknowledged => {
                    self.acknowledged.lock().unwrap().push(number);
                    if kind == 0 {
                        self.count.send_modify(|count| *count += 1);
                    }
                }
                Outcome::Refused(said) => panic!("{:?}: {said}", self.victims[number].act),
                Outcome::BrokenOff => {
                    self.broken_off.fetch_add(usize::from(kind == 0), Ordering::SeqCst);
                    return;
                }
                Outcome::Unreached => return,
            }
        }
    }

    /// Revokes at once what begins here, and kills the binary in the middle of it.
    async fn round(self: &Arc<Self>, begin: usize, until_killed: usize, running: Running) {
        let middle = begin + OVER_HTTP.0;
        self.next[0].store(begin, Ordering::SeqCst);
        self.next[1].store(middle, Ordering::SeqCst);
        let (before, broken_off) = (*self.count.borrow(), self.broken_off.load(Ordering::SeqCst));
        let mut workers = JoinSet::new();
        for (kind, end, workers_of_kind) in [(0, middle, OVER_HTTP.1), (1, middle + BY_COMMAND.0, BY_COMMAND.1)] {
            for _ in 0..workers_of_kind {
                let work = Arc::clone(self);
                workers.spawn(async move { work.revoke_until(kind, end).await });
            }
        }
        self.count.subscribe().wait_for(|count| count - before >= until_killed).await.unwrap();
        running.signal("KILL");
        self.killed.send_replace(true);
        workers.join_all().await;
        running.ended().await;
        self.killed.send_replace(false);
        let broken_off = self.broken_off.load(Ordering::SeqCst) - broken_off;
        println!("killed with {broken_off} requests in flight");
        assert!(broken_off > 0, "requests were in flight");
    }

    fn refuses(&self, verifier: &Verifier, number: usize) -> bool {
        reason(verifier, &self.victims[number].token) == Some(Reason::Revoked)
    }

    fn all_refused(&self, verifier: &Verifier) -> bool {
        self.acknowledged.lock().unwrap().iter().all(|number| self.refuses(verifier, *number))
    }
}

on_each_engine! {
    async fn no_acknowledged_revocation_is_lost_or_revived_by_a_kill(engine) {
        passant();
        let (work, untouched) = Work::prepared(engine).await;
        let work = Arc::new(work);
        let mut running = work.start().await;
        let resumed = work.verifier().await;
        for victim in &work.victims {
            assert_eq!(reason(&resumed, &victim.token), None, "{:?}: good before", victim.act);
        }
        for round in 0..ROUNDS {
            let begin = round * (OVER_HTTP.0 + BY_COMMAND.0);
            work.round(begin, 16 + round, running).await;
            running = work.start().await;
            let fresh = work.verifier().await;
            assert!(work.all_refused(&fresh), "one that begins after the kill knows of all");
            eventually("one that resumes knows of all", || work.all_refused(&resumed)).await;
            // The others of the round. What was broken off may have been done, and cannot be done twice.
            for number in begin..begin + OVER_HTTP.0 + BY_COMMAND.0 {
                if work.acknowledged.lock().unwrap().contains(&number) {
                    continue;
                }
                match work.attempt(&work.victims[number]).await {
                    Outcome::Acknowledged => {}
                    Outcome::Refused(_) if work.refuses(&fresh, number) => {}
                    other => panic!("{:?}: {other:?}", work.victims[number].act),
                }
                work.acknowledged.lock().unwrap().push(number);
            }
        }
        let fresh = work.verifier().await;
        assert_eq!(work.acknowledged.lock().unwrap().len(), work.victims.len());
        eventually("all are refused", || work.all_refused(&resumed)).await;
        assert!(work.all_refused(&fresh));
        for verifier in [&fresh, &resumed] {
            assert_eq!(untouched.each_ref().map(|tokens| reason(verifier, tokens)), [None, None]);
        }
        running.signal("TERM");
        running.ended().await;
        work.world.every_cut_off_has_a_cause().await;
        work.world.search_for_leaks().await;
    }
}
