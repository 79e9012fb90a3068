//! A regular expression, matched by following every path at once: enough to run the specification's own texts.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

/// `<name>` of the distribution specification ("Pulling manifests"), as it stands there.
pub const NAME: &str = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*";

/// `<reference>` as a tag, of the same section.
pub const TAG: &str = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}";

/// What an expression is made of.
enum Node {
    Class(Vec<(char, char)>),
    Sequence(Vec<Self>),
    Choice(Vec<Self>),
    Repeat { inner: Box<Self>, least: usize, most: usize },
}

/// Whether the whole of `text` is of the form `expression`.
///
/// # Panics
/// When the expression uses syntax not known here.
pub fn matches(expression: &str, text: &str) -> bool {
    let mut rest = expression.chars().peekable();
    let node = choice(&mut rest);
    assert!(rest.next().is_none(), "unbalanced {expression}");
    let text: Vec<char> = text.chars().collect();
    node.ends(&text, &BTreeSet::from([0])).contains(&text.len())
}

impl Node {
    /// Where a match can end that begins at one of `starts`.
    fn ends(&self, text: &[char], starts: &BTreeSet<usize>) -> BTreeSet<usize> {
        match self {
            Self::Class(ranges) => {
                let is_in = |at: &usize| {
                    text.get(*at).is_some_and(|character| {
                        ranges.iter().any(|(low, high)| (low..=high).contains(&character))
                    })
                };
                starts.iter().copied().filter(is_in).map(|at| at + 1).collect()
            }
            Self::Sequence(nodes) => {
                nodes.iter().fold(starts.clone(), |starts, node| node.ends(text, &starts))
            }
            Self::Choice(nodes) => nodes.iter().flat_map(|node| node.ends(text, starts)).collect(),
            Self::Repeat { inner, least, most } => {
                let mut frontier = starts.clone();
                let mut found = BTreeSet::new();
                for round in 0..=*most {
                    if round >= *least {
                        // A place reached before, in fewer rounds, has nothing new behind it.
                        frontier.retain(|at| found.insert(*at));
                    }
                    if round == *most || frontier.is_empty() {
                        break;
                    }
                    frontier = inner.ends(text, &frontier);
                }
                found
            }
        }
    }
}

fn choice(rest: &mut Peekable<Chars<'_>>) -> Node {
    let mut branches = vec![sequence(rest)];
    while rest.next_if_eq(&'|').is_some() {
        branches.push(sequence(rest));
    }
    Node::Choice(branches)
}

fn sequence(rest: &mut Peekable<Chars<'_>>) -> Node {
    let mut nodes = Vec::new();
    while let Some(first) = rest.next_if(|next| !matches!(next, '|' | ')')) {
        let node = match first {
            '(' => {
                let inner = choice(rest);
                assert_eq!(rest.next(), Some(')'));
                inner
            }
            '[' => class(rest),
            '\\' => single(rest.next().expect("an escaped character")),
            plain => single(plain),
        };
        nodes.push(repeated(node, rest));
    }
    Node::Sequence(nodes)
}

fn single(character: char) -> Node {
    Node::Class(vec![(character, character)])
}

fn class(rest: &mut Peekable<Chars<'_>>) -> Node {
    let mut ranges = Vec::new();
    while let Some(low) = rest.next_if(|next| *next != ']') {
        let mut ahead = rest.clone();
        let high = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(high)) if high != ']' => {
                *rest = ahead;
                high
            }
            _ => low,
        };
        ranges.push((low, high));
    }
    rest.next();
    Node::Class(ranges)
}

fn repeated(node: Node, rest: &mut Peekable<Chars<'_>>) -> Node {
    let (least, most) = match rest.peek() {
        Some('?') => (0, 1),
        Some('*') => (0, usize::MAX),
        Some('+') => (1, usize::MAX),
        Some('{') => {
            let bounds: String = rest.clone().skip(1).take_while(|next| *next != '}').collect();
            rest.nth(bounds.len()).expect("a closing brace");
            let (least, most) = bounds.split_once(',').expect("two bounds");
            (least.parse().expect("a number"), most.parse().expect("a number"))
        }
        _ => return node,
    };
    rest.next();
    Node::Repeat { inner: Box::new(node), least, most }
}
