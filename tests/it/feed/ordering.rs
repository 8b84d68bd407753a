//! The ordering proof: many write, many read, at two processes whose clocks are twenty seconds apart, and every reader has at every
//! message exactly what was committed up to its head.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use passant::clock::ManualClock;
use passant_tests::follower::Took;
use passant_tests::on_both_engines;
use passant_tests::world::{BEGINNING, Tailing};
use tokio::task::JoinSet;

use super::*;

const WRITERS: usize = 8;
const EACH: usize = 25;
const READERS: usize = 4;
const APART: Duration = Duration::from_secs(10);
/// How much of all that is written each reader must have learnt from its own kind of message while it was written.
const LEARNT: usize = WRITERS * EACH / 2;
/// How often a reader may be sent to a snapshot.
const MISMATCHES: usize = 3;

/// Two processes, and what was acknowledged.
struct Scene {
    nodes: [Node; 2],
    clocks: [ManualClock; 2],
    /// Of each acknowledged cut-off: both clocks just after, and its tick.
    acknowledged: Mutex<Vec<([i64; 2], i64)>>,
    writing: AtomicUsize,
}

/// What a reader was told, and what it had then.
struct Heard {
    node: usize,
    iat: i64,
    head: String,
    cutoffs: usize,
    /// The largest tick that was acknowledged before the reader asked, where an answer is to its own question.
    asked_at: i64,
}

/// A reader, and what came to it.
struct Reader {
    follower: Follower,
    heard: Vec<Heard>,
    /// The cut-offs that it learnt from the kind of message that it asked for.
    learnt: usize,
    /// How often it met the head with a snapshot, because it was not led there.
    mismatches: usize,
}

/// A source of numbers that no two readers share.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

impl Scene {
    fn now(&self) -> [i64; 2] {
        self.nodes.each_ref().map(|node| node.app.now().millis())
    }

    async fn write(&self) {
        for number in 0..EACH {
            let tick = self.nodes[number % 2].revoke().await;
            let now = self.now();
            self.acknowledged.lock().unwrap().push((now, tick.get()));
        }
        self.writing.fetch_sub(1, Ordering::SeqCst);
    }

    /// The largest tick that was acknowledged.
    fn highest(&self) -> i64 {
        self.acknowledged.lock().unwrap().iter().map(|(_, tick)| *tick).max().unwrap_or_default()
    }

    fn is_over(&self, follower: &Follower) -> bool {
        self.writing.load(Ordering::SeqCst) == 0 && tick_of(&follower.position()) >= self.highest()
    }

    /// Asks again and again for all there is.
    async fn read_snapshots(&self, mut chance: Chance) -> Reader {
        let mut reader = Reader::new(self).await;
        while !self.is_over(&reader.follower) {
            let (asked_at, node, before) = (self.highest(), chance.below(2), tick_of(&reader.follower.position()));
            let message = self.nodes[node].get("/revocations").await;
            let known = reader.follower.cutoffs.len();
            reader.follower.take_snapshot(&message);
            reader.learnt += reader.follower.cutoffs.len() - known;
            assert!(tick_of(&reader.follower.position()) >= before, "what is asked for later is no older");
            reader.heard(node, &message, asked_at);
        }
        reader
    }

    /// Follows by long polls, each at any process.
    async fn read_polls(&self, mut chance: Chance) -> Reader {
        let mut reader = Reader::new(self).await;
        while !self.is_over(&reader.follower) {
            let (asked_at, node) = (self.highest(), chance.below(2));
            let path = format!("/revocations?after={}&wait=1", reader.follower.position());
            let message = self.nodes[node].get(&path).await;
            reader.take(self, node, &message).await;
            reader.heard(node, &message, asked_at);
        }
        reader
    }

    /// Follows streams, and leaves each after some messages for any other.
    async fn read_streams(&self, mut chance: Chance) -> Reader {
        let mut reader = Reader::new(self).await;
        while !self.is_over(&reader.follower) {
            let (asked_at, node) = (self.highest(), chance.below(2));
            let mut stream = self.nodes[node].stream(Some(&reader.follower.position())).await;
            for number in 0..=chance.below(4) {
                let message = stream.message().await;
                reader.take(self, node, &message).await;
                reader.heard(node, &message, if number == 0 { asked_at } else { 0 });
                if self.is_over(&reader.follower) {
                    break;
                }
            }
        }
        reader
    }

    /// Holds what a reader heard against what was acknowledged.
    fn judge(&self, heard: &[Heard], links: &mut BTreeMap<i64, String>) {
        let acknowledged = self.acknowledged.lock().unwrap();
        for one in heard {
            let tick = tick_of(&one.head);
            let known = acknowledged.iter().filter(|(_, at)| *at <= tick).count();
            assert_eq!(one.cutoffs, known, "at {} a reader has all that was committed up to there, and nothing else", one.head);
            assert_eq!(*links.entry(tick).or_insert_with(|| one.head.clone()), one.head, "one tick, one link");
            assert!(tick >= one.asked_at, "an answer is no older than the question");
            let before = acknowledged.iter().filter(|(clocks, _)| clocks[one.node] < one.iat * 1000);
            let vouched = before.map(|(_, tick)| *tick).max().unwrap_or_default();
            assert!(tick >= vouched, "a message dated {} has what was acknowledged before: {vouched}, not {tick}", one.iat);
        }
    }
}

impl Reader {
    async fn new(scene: &Scene) -> Self {
        Self { follower: scene.nodes[0].follower().await, heard: Vec::new(), learnt: 0, mismatches: 0 }
    }

    async fn take(&mut self, scene: &Scene, node: usize, message: &str) {
        let known = self.follower.cutoffs.len();
        let took = self.follower.take(message);
        self.learnt += self.follower.cutoffs.len() - known;
        match took {
            Took::Adopted | Took::Current => {}
            // The issuer would rather not lead on from here.
            Took::Mismatch => {
                self.mismatches += 1;
                self.follower.take_snapshot(&scene.nodes[node].get("/revocations").await);
            }
            Took::Old => panic!("a process told less than another one had told before: {message}"),
        }
    }

    fn heard(&mut self, node: usize, message: &str, asked_at: i64) {
        let iat = payload(message)["iat"].as_i64().unwrap();
        let (head, cutoffs) = (self.follower.position(), self.follower.cutoffs.len());
        self.heard.push(Heard { node, iat, head, cutoffs, asked_at });
    }
}

fn tick_of(position: &str) -> i64 {
    position.split('.').nth(1).unwrap().parse().unwrap()
}

on_both_engines! {
    async fn no_reader_misses_or_reorders_a_cut_off_at_replicas_whose_clocks_are_apart(world) {
        let clocks = [ManualClock::at(BEGINNING + APART), ManualClock::at(BEGINNING - APART)];
        let nodes = [
            Node::of(&world.replica_with(&clocks[0]).await),
            Node::of(&world.replica_with(&clocks[1]).await),
        ];
        let _tailing = nodes.each_ref().map(|node| Tailing::start(&node.app));
        let writing = AtomicUsize::new(WRITERS);
        let scene = Arc::new(Scene { nodes, clocks, acknowledged: Mutex::default(), writing });
        let passing = tokio::spawn({
            let scene = Arc::clone(&scene);
            async move {
                // A second at a time: messages are dated in whole seconds, and one that is dated a moment too late is to show.
                let mut beat = tokio::time::interval(Duration::from_millis(5));
                loop {
                    beat.tick().await;
                    scene.clocks.iter().for_each(|clock| clock.advance(Duration::from_secs(1)));
                }
            }
        });
        let (mut readers, mut writers) = (JoinSet::new(), JoinSet::new());
        for number in 0..READERS {
            let chance = |kind: usize| Chance(u64::try_from(number * 3 + kind).unwrap());
            let (one, other, third) = (Arc::clone(&scene), Arc::clone(&scene), Arc::clone(&scene));
            let (a, b, c) = (chance(0), chance(1), chance(2));
            readers.spawn(async move { one.read_snapshots(a).await });
            readers.spawn(async move { other.read_polls(b).await });
            readers.spawn(async move { third.read_streams(c).await });
        }
        for _ in 0..WRITERS {
            let scene = Arc::clone(&scene);
            writers.spawn(async move { scene.write().await });
        }
        writers.join_all().await;
        let mut links = BTreeMap::new();
        let reached = readers.join_all().await;
        passing.abort();
        for Reader { follower, heard, learnt, mismatches } in &reached {
            println!("{} messages, {learnt} cut-offs learnt from them, {mismatches} snapshots instead", heard.len());
            scene.judge(heard, &mut links);
            let first = &reached[0].follower;
            assert_eq!((follower.position(), &follower.cutoffs), (first.position(), &first.cutoffs), "chains and cut-offs agree");
            assert_eq!(follower.cutoffs.len(), WRITERS * EACH);
            assert!(*learnt >= LEARNT && *mismatches <= MISMATCHES, "each kind of message leads on: {learnt}, {mismatches}");
        }
        assert!(links.len() > WRITERS * EACH / 10, "they read while others wrote: {} heads", links.len());
    }
}
