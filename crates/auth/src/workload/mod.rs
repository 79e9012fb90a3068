//! Workload identity: tokens of CI systems, clusters and SPIFFE that stand for a robot by a trust rule.

pub mod login;
pub mod rules;
pub mod verification;
