//! The revocation feed of a process, kept going as the binary keeps it.

use std::sync::Arc;

use passant::app::App;
use tokio::task::JoinHandle;

/// Keeps a feed going until it is dropped.
pub struct Tailing(JoinHandle<()>);

impl Tailing {
    /// Of this process. Without it, a test steps the feed by hand.
    pub fn start(app: &Arc<App>) -> Self {
        let app = Arc::clone(app);
        Self(tokio::spawn(async move { passant::jobs::tail(&app).await }))
    }
}

impl Drop for Tailing {
    fn drop(&mut self) {
        self.0.abort();
    }
}
