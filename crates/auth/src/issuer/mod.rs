//! Other issuers of tokens: what they publish, their keys, and what they signed.

pub mod documents;
pub mod keys;
pub mod signed;
