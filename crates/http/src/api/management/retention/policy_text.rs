//! A policy in a request and in a reply: any JSON of its form, which is read where it is used.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wharf_core::retention::Policy;

use crate::api::management::ask::Ask;
use crate::api::management::problem::Problem;

/// A policy, which is read where it is used: so that what is wrong with it is told with its part.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::api) struct PolicyText(pub(super) Value);

impl PolicyText {
    /// The policy; `within` is where it stands in the request.
    pub(super) fn read<Q, B>(&self, ask: &Ask<Q, B>, within: &str) -> Result<Policy, Problem> {
        let policy = Policy::parse(&self.0.to_string()).map_err(|error| {
            let part = match error.part.as_str() {
                "policy" if within.is_empty() => "body".to_owned(),
                "policy" => within.to_owned(),
                part if within.is_empty() => part.to_owned(),
                part => format!("{within}.{part}"),
            };
            Problem::unfit(part, error.reason)
        })?;
        match ask.pulls_known().unanswerable(&policy) {
            None => Ok(policy),
            Some(age) => Err(Problem::unfit(
                "pulled_within",
                format!(
                    "whether something was pulled within {age} cannot be told: counts of pulls must be on \
                     (counts.enabled), and kept for 25 hours longer than that (counts.keep)"
                ),
            )),
        }
    }
}

impl JsonSchema for PolicyText {
    fn schema_name() -> Cow<'static, str> {
        "RetentionPolicy".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let age = json_schema!({
            "type": "string", "pattern": "^([1-9][0-9]{0,2}[hd]|[1-9][0-9]?w)$",
            "description": "A time from 1h to 3650d: a whole number and h, d or w."
        });
        let count = json_schema!({ "type": "integer", "minimum": 1, "maximum": 10_000 });
        let newest = json_schema!({
            "type": "object", "required": ["count"], "additionalProperties": false,
            "properties": { "count": count, "of_each": { "type": "string", "enum": ["rule", "major", "minor"] } }
        });
        let patterns = json_schema!({
            "type": "array", "maxItems": 32, "items": { "type": "string", "pattern": "^[A-Za-z0-9_.*-]{1,128}$" }
        });
        let keep = json_schema!({
            "type": "object", "minProperties": 1, "additionalProperties": false,
            "description": "What is kept of the tags that the rule selects: those for which one of these holds.",
            "properties": {
                "newest": count, "newest_releases": newest, "newest_pre_releases": newest,
                "pushed_within": age, "pulled_within": age,
                "signed": { "type": "boolean" }, "referenced": { "type": "boolean" }, "running": { "type": "boolean" }
            }
        });
        let rule = json_schema!({
            "type": "object", "required": ["name", "tags", "keep"], "additionalProperties": false,
            "properties": {
                "name": { "type": "string", "pattern": "^[a-z0-9_-]{1,64}$" },
                "tags": patterns, "except": patterns, "keep": keep
            }
        });
        json_schema!({
            "type": "object", "required": ["rules"], "additionalProperties": false,
            "description": "A policy of retention: what a rule selects and none keeps is dropped.",
            "properties": {
                "rules": { "type": "array", "maxItems": 32, "items": rule },
                "untagged": {
                    "anyOf": [
                        { "type": "string", "enum": ["keep"] },
                        {
                            "type": "object", "required": ["after"], "additionalProperties": false,
                            "properties": { "after": age }
                        },
                    ],
                    "description": "What becomes of manifests that nothing needs."
                }
            }
        })
    }
}
