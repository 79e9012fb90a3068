//! How many manifests lie in which repositories: one repository holds a tenth of them, the others about ninety each.

/// One manifest in this many is in the large repository.
const LARGE_SHARE: u64 = 10;

/// There is a small repository for this many manifests.
const MANIFESTS_A_REPOSITORY: u64 = 100;

/// The repository that holds a tenth of everything.
pub const LARGE: u64 = 0;

/// The fewest manifests that have this shape.
pub const LEAST: u64 = 1000;

/// A registry of so many manifests.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    manifests: u64,
}

/// Which of a repository's manifests: the `number`th that was pushed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The repository.
    pub repository: u64,
    /// From 0.
    pub number: u64,
}

impl Shape {
    /// A registry of `manifests`, [`LEAST`] or more.
    pub const fn new(manifests: u64) -> Self {
        Self { manifests }
    }

    /// How many manifests there are, and so how many tags.
    pub const fn manifests(self) -> u64 {
        self.manifests
    }

    /// How many repositories there are, the large one among them. They are numbered from 0.
    pub const fn repositories(self) -> u64 {
        self.small_repositories() + 1
    }

    const fn small_repositories(self) -> u64 {
        self.manifests / MANIFESTS_A_REPOSITORY
    }

    /// Where the manifest is that was pushed as the `nth` of all, from 0: all repositories grow side by side.
    pub const fn place(self, nth: u64) -> Place {
        if nth % LARGE_SHARE == LARGE_SHARE - 1 {
            return Place { repository: LARGE, number: nth / LARGE_SHARE };
        }
        let small = nth - nth / LARGE_SHARE;
        let repositories = self.small_repositories();
        Place { repository: 1 + small % repositories, number: small / repositories }
    }

    /// How many manifests a repository holds.
    pub const fn size(self, repository: u64) -> u64 {
        let large = self.manifests / LARGE_SHARE;
        if repository == LARGE {
            return large;
        }
        let (small, repositories) = (self.manifests - large, self.small_repositories());
        let one_more = repository - 1 < small % repositories;
        small / repositories + if one_more { 1 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_manifests_of_each_repository_are_numbered_without_a_gap() {
        for manifests in [1000, 1234, 9999] {
            let shape = Shape::new(manifests);
            let mut next = BTreeMap::new();
            for nth in 0..manifests {
                let Place { repository, number } = shape.place(nth);
                let expected = next.entry(repository).or_insert(0);
                assert_eq!(number, *expected, "manifest {nth} of {manifests}");
                *expected += 1;
            }
            let sizes: BTreeMap<_, _> =
                (0..shape.repositories()).map(|it| (it, shape.size(it))).collect();
            assert_eq!(next, sizes);
        }
    }
}
