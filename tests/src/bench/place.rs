//! The issuer and the verifiers, each on a runtime of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use passant_verifier::Verifier;
use tokio::runtime::Runtime;

use super::Plan;
use super::victims::Scene;
use crate::world::Engine;

/// How long the verifiers have to come up.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Place {
    pub(super) verifiers: Arc<[Verifier]>,
    /// Where the followed process answers: host and port.
    pub(super) followed: String,
    scene: Option<Arc<Scene>>,
    issuer: Option<Runtime>,
    _following: Runtime,
}

impl Place {
    pub(super) fn open(plan: &Plan) -> Self {
        let (issuer, following) = (runtime("issuer"), runtime("verifiers"));
        let engine = plan.engine;
        let scene = Arc::new(on(&issuer, Scene::set(engine)));
        let url = scene.served.issuer.clone();
        let followed = match engine {
            Engine::Sqlite => url.clone(),
            Engine::Postgres => scene.beside.issuer.clone(),
        };
        let _entered = following.enter();
        let verifiers: Arc<[Verifier]> = (0..plan.verifiers)
            .map(|_| {
                let builder = Verifier::builder().issuer(&url).audience("https://api.example.com");
                builder.revocations(format!("{followed}/revocations")).build().expect("the settings make sense")
            })
            .collect();
        for verifier in verifiers.iter() {
            following.block_on(verifier.ready(PATIENCE)).expect("the verifiers come up");
        }
        let followed = followed.trim_start_matches("http://").to_owned();
        Self { verifiers, followed, scene: Some(scene), issuer: Some(issuer), _following: following }
    }

    pub(super) fn scene(&self) -> Arc<Scene> {
        Arc::clone(self.scene.as_ref().expect("it is open"))
    }

    /// Does something on the issuer's runtime.
    pub(super) fn issuer<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        on(self.runtime(), work)
    }

    /// The same without waiting for it.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime().spawn(work));
    }

    fn runtime(&self) -> &Runtime {
        self.issuer.as_ref().expect("it is open")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.scene = None;
        if let Some(issuer) = self.issuer.take() {
            issuer.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

/// On the runtime's own threads, so that what it costs is told apart.
fn on<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = T> + Send + 'static) -> T {
    let done = runtime.block_on(runtime.spawn(work));
    done.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))
}

fn runtime(name: &str) -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).thread_name(name).enable_all().build().expect("a runtime starts")
}

/// Seconds that threads with such names have used.
pub(super) fn cpu(names: &[&str]) -> f64 {
    let mut ticks = 0;
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let Some((name, rest)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')) else { continue };
        if names.iter().any(|known| name.starts_with(known)) {
            // utime and stime, in hundredths of a second on every Linux.
            ticks += rest.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum::<u64>();
        }
    }
    Duration::from_millis(ticks * 10).as_secs_f64()
}

/// A random number above 0, up to 1.
pub(super) fn fraction() -> f64 {
    let bits = u32::from_be_bytes(passant::secret::random_bytes());
    (f64::from(bits) + 1.0) / (f64::from(u32::MAX) + 1.0)
}
