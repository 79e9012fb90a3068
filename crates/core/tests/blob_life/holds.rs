//! The protocol holds in every scenario.

use std::time::Instant;

use stateright::{Checker, Model};

use crate::scenarios;

#[test]
fn explore() {
    for (name, life) in scenarios::all() {
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
}

#[test]
fn matrix() {
    use crate::guards::Guard;
    let guards = [Guard::JudgeSeesMemberships, Guard::JudgeSeesReservations, Guard::JudgeSeesTheIncarnation, Guard::JudgeWaits, Guard::CondemnedIsPastSaving, Guard::HoldingTakesTheMark, Guard::CommitUpdates, Guard::SweepSeesManifests, Guard::SweepWaits, Guard::RemovalSeesManifests, Guard::DeletionUpdates, Guard::RestoreUpdates, Guard::FinishSeesReservation, Guard::FinishSeesTheIncarnation, Guard::CondemnedKeyIsLeft, Guard::NewKeyWritesTheMark, Guard::LettingGoWrites, Guard::LettingGoSetsTheMoment, Guard::LettingGoAsksNobody, Guard::EndedUploadLetsGo, Guard::ForgettingWaits, Guard::DeleteIsPrompt, Guard::ConfirmHasTheStoresWord, Guard::FoundLeavesDeletedKeys, Guard::ListingFinds];
    for guard in guards {
        for (name, life) in scenarios::all() {
            if ["pushes of a condemned blob"].contains(&name) { continue; }
            let from = Instant::now();
            let checker = crate::model::Life { without: Some(guard), ..life }.checker().target_state_count(400_000).threads(2).spawn_bfs().join();
            let found: Vec<_> = checker.discoveries().into_iter().map(|(n, p)| (n, p.into_actions().len())).collect();
            if !found.is_empty() { println!("{guard:?} / {name}: {found:?} {} {:?}", checker.unique_state_count(), from.elapsed()); }
        }
    }
}
