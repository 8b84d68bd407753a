//! `issuer/docs/machine-to-machine.md`.

use passant_tests::running::Running;

use super::{Guide, stopped};

/// The batch, whose Enter key is ours.
struct Batch(Running);

impl Batch {
    fn start(guide: &Guide) -> Self {
        // In one stream, for what it says in two has no order.
        let mut command = guide.typed(&format!("exec 2>&1\n{}", guide.text("run")), &[]);
        command.stdin(std::process::Stdio::piped());
        Self(Running::start(command))
    }

    /// Presses Enter, and returns how many tokens the batch fetched until it had the orders.
    async fn reads(&mut self) -> usize {
        self.0.type_line("").await;
        self.0.until("sugar tongs").await.matches("a new token").count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_calls_in_its_own_name_and_changes_its_secret_without_a_pause() {
    let guide = Guide::open("machine-to-machine");
    guide.run("secret", &[]).await;
    let issuer = guide.issuer().await;
    let _service = guide.service(&[]).await;
    let token = guide.token("curl").await;
    let orders = guide.run("call", &[("TOKEN", &token)]).await;
    assert!(orders.contains(r#""sub":"nightly-batch""#), "{orders}");

    let mut batch = Batch::start(&guide);
    assert_eq!(batch.reads().await, 1);
    assert_eq!(batch.reads().await, 0, "a token is used until it ends");
    drop(batch);

    // So short that each call finds it at its end.
    let short = r#"access_token = "1m""#;
    let issuer = guide.restarted(issuer, short).await;
    let mut batch = Batch::start(&guide);
    assert_eq!(batch.reads().await, 1);
    guide.run("new-secret", &[]).await;
    assert_eq!(batch.reads().await, 1, "the old secret is good until the issuer has the new one");
    guide.run("replace", &[]).await;
    stopped(issuer).await;
    assert_eq!(batch.reads().await, 0, "what is at its end is good for a minute yet");
    let _issuer = guide.issuer().await;
    assert_eq!(batch.reads().await, 1, "the new secret takes over");
    guide.run("forget", &[]).await;
    assert_eq!(batch.reads().await, 1);
    guide.done();
}
