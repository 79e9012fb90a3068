//! The soak: several push, mount, delete and bring back over one pool of layers, whole repositories too, policies drop tags and the collector runs all the
//! time with a grace of seconds, while nodes are killed and connections are cut. In the end everything that should be there is
//! pulled, and nothing else is there: zero lost, zero left. And that is what each repository and their namespace is charged, exactly,
//! and always was.
//!
//! `WHARF_SOAK_MINUTES` has each of them go on for so long; `WHARF_SOAK_SEED` chooses again what a run that failed had chosen.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "soak/book.rs"]
mod book;
#[path = "soak/client.rs"]
mod client;
#[path = "soak/counting.rs"]
mod counting;
#[path = "soak/deleting.rs"]
mod deleting;
#[path = "access/forging.rs"]
mod forging;
#[path = "access/house.rs"]
mod house;
#[path = "soak/judgement.rs"]
mod judgement;
#[path = "soak/layers.rs"]
mod layers;
#[path = "soak/leaving.rs"]
mod leaving;
#[path = "soak/limits.rs"]
mod limits;
#[path = "soak/manifests.rs"]
mod manifests;
#[path = "soak/outcomes.rs"]
mod outcomes;
#[path = "soak/policies.rs"]
mod policies;
#[path = "soak/pulling.rs"]
mod pulling;
#[path = "soak/pusher.rs"]
mod pusher;
#[path = "soak/restoring.rs"]
mod restoring;
#[path = "soak/rows.rs"]
mod rows;
#[path = "soak/sending.rs"]
mod sending;
#[path = "soak/site.rs"]
mod site;
#[path = "soak/store.rs"]
mod store;
#[path = "soak/trouble.rs"]
mod trouble;
#[path = "soak/whole.rs"]
mod whole;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use book::Book;
use client::Client;
use layers::Layers;
use leaving::Left;
use policies::PUSHERS;
use pusher::{Common, Pusher};
use site::Site;
use support::random::Random;

const REPOSITORIES: [&str; 3] = ["soak/one", "soak/two", "soak/three"];

#[test]
fn nothing_is_lost_and_nothing_is_left_on_one_machine() {
    soak(Site::on_one_machine(), Duration::from_secs(20));
}

#[test]
fn nothing_is_lost_and_nothing_is_left_on_three_nodes() {
    soak(Site::of_nodes(3), Duration::from_secs(25));
}

fn soak(mut site: Site, round: Duration) {
    let minutes = std::env::var("WHARF_SOAK_MINUTES").map(|text| text.parse::<u64>().unwrap());
    let time = minutes.map_or(round, |minutes| Duration::from_secs(minutes * 60));
    let seed = Random::seed_from("WHARF_SOAK_SEED");
    println!("WHARF_SOAK_SEED={seed} for {time:?}");
    let mut random = Random::seeded(seed);
    let common = Common {
        layers: Layers::made_from(seed),
        repositories: REPOSITORIES.map(str::to_owned).to_vec(),
        grace: site.grace,
        over: AtomicBool::new(false),
        done: Mutex::default(),
    };
    let login = site.login();
    let mut client =
        || Client::new(site.ways(), &login, &common.repositories, Random::seeded(random.next()));
    let mut judge = client();
    limits::of_the_namespace(&mut judge, &mut Random::seeded(seed));
    let clients: Vec<Client> = (0..PUSHERS).map(|_| client()).collect();
    let mut pushers: Vec<Pusher<'_>> = clients
        .into_iter()
        .enumerate()
        .map(|(number, client)| Pusher::new(&common, number, client, Random::seeded(random.next())))
        .collect();
    let began = Instant::now();
    while began.elapsed() < time {
        common.over.store(false, Ordering::Relaxed);
        let made = thread::scope(|scope| {
            for pusher in &mut pushers {
                scope.spawn(|| pusher.work());
            }
            trouble::make(&mut site, &common, round, &mut random)
        });
        let (collected, again) = (site.rows().deleted_keys(), site.rows().incarnations());
        println!("{made:?}; {collected} objects were collected, {again} pushed again since");
        assert!(collected > 0, "nothing was collected while images were pushed");
        assert!(common.is_enough(), "not all was done that a soak is for: {:?}", common.done);
        assert!(made.kills > 0 && made.faults > 0, "there was no trouble: {made:?}");
        trouble::end(&mut site);
        judge_all(&mut judge, &common.layers, &mut pushers);
        counting::was_never_wrong(&site);
    }
    // What trouble may have kept from coming to its end does so in peace.
    for pusher in &mut pushers {
        pusher.whole();
        println!("{:?}", pusher.done);
        pusher.wholes.end(&mut judge);
        pusher.push_builds(0);
    }
    let whole: u32 = pushers.iter().map(|pusher| pusher.done.whole).sum();
    assert!(whole > 0, "no repository was deleted and brought back");
    policies::have_dropped(&mut judge, &common.repositories, || site.has_run("retention.schedule"));
    assert!(site.rows().dropped_tags() > 0, "no policy has ever dropped a tag");

    let mut books: Vec<Vec<Book>> =
        pushers.iter_mut().map(|pusher| std::mem::take(&mut pusher.books)).collect();
    let mut left = Left::default();
    for book in books.iter_mut().flatten() {
        left.delete_others(&mut judge, &common.layers, book, &mut random);
    }
    let all: Vec<&Book> = books.iter().flatten().collect();
    left.wait_for(&site, &all);
    leaving::is_whole(&mut judge, &common.layers, &all);
    let of_repository = |number: usize| books.iter().map(|books| &books[number]).collect();
    let repositories: Vec<Vec<&Book>> = (0..REPOSITORIES.len()).map(of_repository).collect();
    counting::is_counted(&mut judge, &common.layers, &site, &repositories);
}

/// Finds out what was not known, and holds the registry to all that is known.
fn judge_all(judge: &mut Client, layers: &Layers, pushers: &mut [Pusher<'_>]) {
    for book in pushers.iter_mut().flat_map(|pusher| &mut pusher.books) {
        judgement::settle(judge, book);
    }
    for (number, repository) in REPOSITORIES.iter().enumerate() {
        let mut standing = BTreeSet::new();
        for pusher in &mut *pushers {
            let book = &mut pusher.books[number];
            standing.extend(judgement::judge(judge, layers, book));
            book.forget();
        }
        judgement::lists(judge, repository, &standing);
    }
}
