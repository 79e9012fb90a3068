//! The versions of repositories in Redis, one a kind of value, asked for together: while one question is on its way, all that come
//! meanwhile gather for the next. So a thousand pulls at once cost a few questions, and each is answered by one
//! that was asked after it came.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::Script;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use wharf_core::cache::Kind;
use wharf_core::clock::{Random, SystemRandom};
use wharf_oci::RepositoryName;

use super::link::Link;

/// How many repositories one question is about at most.
const MOST: usize = 512;

/// How long Redis keeps a version that nobody changes. After that values under it are worthless, which costs misses.
pub(super) const VERSION_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How long it keeps one that nothing was put under: time to read the database. So names that are made up by who
/// asks take little memory.
const NEW_VERSION_LIFE: Duration = Duration::from_secs(60);

/// Each version, made where there is none. A version is a random number: one that was lost, whichever way, never
/// comes again, and with it no value that was kept under it. It is kept with the identity of the server that it was
/// made by, `number@identity`, and counts as lost on any other: a replica that takes over may have missed a write.
const ASK: &str = "
    local server = redis.pcall('INFO', 'server')
    local identity = type(server) == 'string' and server:match('run_id:(%x+)') or ''
    local versions = {}
    for index, key in ipairs(KEYS) do
        local kept = redis.call('GET', key) or ''
        local version, maker = kept:match('^(%d+)@(.*)$')
        if not version or maker ~= identity then
            version = ARGV[index]
            redis.call('SET', key, version .. '@' .. identity, 'EX', ARGV[#KEYS + 1])
        end
        versions[index] = version
    end
    return versions";

/// Who waits for the version of a kind of value of a repository in an epoch.
type Waiting = HashMap<(i64, RepositoryName, Kind), Vec<oneshot::Sender<Option<u64>>>>;

/// The questions.
pub(super) struct Checks {
    gathering: Arc<Gathering>,
    asking: JoinHandle<()>,
}

#[derive(Default)]
struct Gathering {
    waiting: Mutex<Waiting>,
    came: Notify,
}

impl Checks {
    /// Asks through `link`. Called inside a runtime.
    pub(super) fn new(link: Arc<Link>) -> Self {
        let gathering = Arc::new(Gathering::default());
        let asking = tokio::spawn(ask_for_ever(Arc::clone(&gathering), link));
        Self { gathering, asking }
    }

    /// The version of a kind of value of a repository in an epoch, as of some moment after this was called. `None`
    /// when Redis does not say.
    pub(super) async fn version(
        &self,
        epoch: i64,
        repository: &RepositoryName,
        kind: Kind,
    ) -> Option<u64> {
        let (answer, answered) = oneshot::channel();
        {
            let waiting = self.gathering.waiting.lock();
            let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
            waiting.entry((epoch, repository.clone(), kind)).or_default().push(answer);
        }
        self.gathering.came.notify_one();
        answered.await.ok().flatten()
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

async fn ask_for_ever(gathering: Arc<Gathering>, link: Arc<Link>) {
    let script = Script::new(ASK);
    loop {
        gathering.came.notified().await;
        let gathered = {
            let mut waiting = gathering.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *waiting)
        };
        let mut gathered: Vec<_> = gathered.into_iter().collect();
        while !gathered.is_empty() {
            let batch = gathered.split_off(gathered.len().saturating_sub(MOST));
            ask(&script, &link, batch).await;
        }
    }
}

type Batch = Vec<((i64, RepositoryName, Kind), Vec<oneshot::Sender<Option<u64>>>)>;

async fn ask(script: &Script, link: &Link, batch: Batch) {
    let mut question = script.prepare_invoke();
    for ((epoch, repository, kind), _) in &batch {
        question.key(version_key(*epoch, repository, *kind));
    }
    for _ in &batch {
        question.arg(new_version());
    }
    question.arg(NEW_VERSION_LIFE.as_secs());
    let answer = link
        .ask(|mut connection| async move { question.invoke_async(&mut connection).await })
        .await;
    let versions: Vec<u64> = answer.unwrap_or_default();
    for (index, (_, waiting)) in batch.into_iter().enumerate() {
        for one in waiting {
            // Who does not wait any more needs no answer.
            let _ = one.send(versions.get(index).copied());
        }
    }
}

/// Where Redis keeps the version of a kind of value of a repository.
pub(super) fn version_key(epoch: i64, repository: &RepositoryName, kind: Kind) -> String {
    match kind {
        Kind::Manifest => format!("wharf:{epoch}:v:{repository}"),
        Kind::Blob => format!("wharf:{epoch}:w:{repository}"),
    }
}

/// A number that was no version before, and not 0.
pub(super) fn new_version() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes);
    u64::from_be_bytes(bytes) | 1
}
