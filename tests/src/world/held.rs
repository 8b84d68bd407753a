//! A barrier between judgement and deed: a request is stopped at a checkpoint, the world changes, the request goes on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use passant::app::checkpoint::{Checkpoint, Checkpoints};
use tokio::sync::oneshot;

type Holds = HashMap<Checkpoint, (oneshot::Sender<()>, oneshot::Receiver<()>)>;

/// Which checkpoints hold the next request that comes.
#[derive(Clone, Default)]
pub struct Held(Arc<Mutex<Holds>>);

/// One checkpoint that holds the next request.
pub struct Hold {
    arrived: oneshot::Receiver<()>,
    go_on: oneshot::Sender<()>,
}

impl Held {
    /// Holds the next request that comes to the checkpoint; later ones pass.
    pub fn next(&self, checkpoint: Checkpoint) -> Hold {
        let ((says_arrived, arrived), (go_on, may_go_on)) = (oneshot::channel(), oneshot::channel());
        self.0.lock().unwrap().insert(checkpoint, (says_arrived, may_go_on));
        Hold { arrived, go_on }
    }
}

impl Hold {
    /// Waits until the request has come.
    pub async fn arrived(&mut self) {
        (&mut self.arrived).await.expect("the request comes to the checkpoint");
    }

    /// Lets it go on.
    pub fn release(self) {
        self.go_on.send(()).expect("the request waits");
    }
}

impl Checkpoints for Held {
    fn reached(&self, checkpoint: Checkpoint) -> BoxFuture<'_, ()> {
        let hold = self.0.lock().unwrap().remove(&checkpoint);
        Box::pin(async move {
            if let Some((says_arrived, may_go_on)) = hold {
                says_arrived.send(()).expect("the test waits");
                may_go_on.await.expect("the test lets it go on");
            }
        })
    }
}
