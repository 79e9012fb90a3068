//! Workload identity: tokens of CI systems, clusters and SPIFFE that stand for a robot by a trust rule.

pub mod documents;
pub mod issuer_keys;
pub mod login;
pub mod rules;
pub mod verification;
