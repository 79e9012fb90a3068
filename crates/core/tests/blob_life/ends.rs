//! Every run comes to rest: the states have no circle. A finite graph without one has no path that does not end, and a path ends where
//! nothing is to be done; so from everywhere all is cleared away in the end, if it is at rest.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use stateright::Model;

use crate::life::Life;
use crate::state::{Action, State};

/// A state on the path that is being walked.
struct Visit {
    state: State,
    left: Vec<Action>,
    print: u64,
}

/// Walks all states, depth first. The actions of a path that comes back to where it was, the last first, if there is one.
pub fn circle(life: &Life) -> Option<Vec<Action>> {
    let mut ended = HashMap::new();
    let mut path: Vec<Visit> = life.init_states().into_iter().map(|s| visit(life, s)).collect();
    let mut taken = Vec::new();
    ended.extend(path.iter().map(|visit| (visit.print, false)));
    while let Some(at) = path.last_mut() {
        let Some(action) = at.left.pop() else {
            ended.insert(at.print, true);
            path.pop();
            taken.pop();
            continue;
        };
        let Some(next) = life.next_state(&at.state, action) else { continue };
        let next = visit(life, next);
        match ended.insert(next.print, false) {
            None => {
                taken.push(action);
                path.push(next);
            }
            Some(true) => {
                ended.insert(next.print, true);
            }
            Some(false) => {
                let from = path.iter().position(|visit| visit.print == next.print)?;
                taken.push(action);
                return Some(taken.split_off(from).into_iter().rev().collect());
            }
        }
    }
    None
}

fn visit(life: &Life, state: State) -> Visit {
    let mut left = Vec::new();
    life.actions(&state, &mut left);
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    Visit { state, left, print: hasher.finish() }
}
