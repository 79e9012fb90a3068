//! Scenarios.

use stateright::{Checker, Model};
use std::time::Instant;

use crate::guards::Guard;
use crate::model::{Life, Role};
use crate::rows::{ManifestRow, MembershipRow, Rows, UploadRow};

fn empty() -> Life {
    Life {
        rows: Rows::new(),
        objects: 0,
        roles: Vec::new(),
        collectors: 1,
        faults: 0,
        old_listings: 0,
        moves_are_prompt: true,
        without: None,
    }
}

fn uploads(mut life: Life, n: usize) -> Life {
    for row in life.rows.uploads.iter_mut().take(n) {
        *row = Some(UploadRow { expired: false, reserved: None });
    }
    life
}

fn held(mut life: Life, repository: usize, manifests: &[usize]) -> Life {
    life.objects = 1;
    life.rows.memberships[repository] =
        Some(MembershipRow { needed: !manifests.is_empty(), young: 0 });
    for m in manifests {
        life.rows.manifests[repository][*m] = ManifestRow::Held;
    }
    life
}

fn two_pushes() -> Life {
    Life {
        roles: vec![
            Role::Push { upload: 0, repository: 0, manifest: 0 },
            Role::Push { upload: 1, repository: 1, manifest: 0 },
        ],
        faults: 0,
        ..uploads(empty(), 2)
    }
}

fn mount() -> Life {
    Life {
        roles: vec![
            Role::Mount { from: 0, to: 1, manifest: 0 },
            Role::Remove { repository: 0 },
        ],
        collectors: 1,
        faults: 1,
        ..held(empty(), 0, &[])
    }
}

fn run(name: &str, life: Life) {
    let from = Instant::now();
    let checker = life.checker().threads(2).spawn_bfs().join();
    println!("{name}: {} states, {} unique, depth {}, {:?}", checker.state_count(), checker.unique_state_count(), checker.max_depth(), from.elapsed());
    for (name, path) in checker.discoveries() {
        println!("FOUND {name}");
        for a in path.into_actions() {
            println!("   {a:?}");
        }
    }
}

#[test]
fn explore() {
    run("mount 1", mount());
    run("mount 2", Life { collectors: 2, ..mount() });
    run("push 1", two_pushes());
    run("push late", Life { moves_are_prompt: false, ..two_pushes() });
    run("push 1 fault 1", Life { faults: 1, ..two_pushes() });
}
