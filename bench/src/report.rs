//! Results as text, Markdown and JSON.

use serde_json::{Value, json};

use wharf_bench::figures::number;
use wharf_bench::table::{Form, table};

use crate::comparison::Comparison;
use crate::goals::Goal;
use crate::results::{Results, Row, Spread};

/// All that is to be told: `about` first, then the results, then the goals.
pub fn render(
    comparison: &Comparison,
    results: &Results,
    about: &[(&str, String)],
    form: Form,
) -> String {
    let about: Vec<Vec<String>> =
        about.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
    let mut rows = Vec::new();
    let mut last = "";
    for row in &results.rows {
        // A measure is named once.
        let name = if row.measure == last { "" } else { &row.measure };
        last = &row.measure;
        rows.push(cells(comparison, row, name));
    }
    let mut heads = vec!["measured".to_owned(), "what".to_owned()];
    heads.extend(comparison.subjects().map(|subject| subject.name().to_owned()));
    heads.extend(comparison.others.iter().map(|other| format!("÷ {}", other.name())));
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    [
        table(&["run", ""], &about, form),
        table(&heads, &rows, form),
        table(&["goal", "reached", ""], &judged(comparison, results), form),
    ]
    .join("\n")
}

fn cells(comparison: &Comparison, row: &Row, name: &str) -> Vec<String> {
    let mut cells = vec![name.to_owned(), format!("{}, {}", row.metric.name, row.metric.unit)];
    cells.extend(comparison.subjects().map(|subject| spread(row.spread(subject))));
    let ratio = |other: &_| spread(row.ratio(comparison.subject, *other));
    cells.extend(comparison.others.iter().map(ratio));
    cells
}

fn spread(spread: Option<Spread>) -> String {
    let Some(Spread { median, least, most }) = spread else { return String::new() };
    if least == most {
        return number(median);
    }
    format!("{} ({}–{})", number(median), number(least), number(most))
}

fn judged(comparison: &Comparison, results: &Results) -> Vec<Vec<String>> {
    let judge = |goal: Goal| {
        let (reached, met) = match goal.reached(results, comparison.subject) {
            Some(value) => {
                let met = if goal.is_met_by(value) { "met" } else { "NOT met" };
                (format!("{} {}", number(value), goal.unit()), met)
            }
            None => (String::new(), "not measured"),
        };
        vec![goal.text.to_owned(), reached, met.to_owned()]
    };
    (comparison.goals)().into_iter().map(judge).collect()
}

/// All values, for programs.
pub fn as_json(comparison: &Comparison, results: &Results, about: &[(&str, String)]) -> Value {
    let rows = results.rows.iter().map(|row| {
        let values: serde_json::Map<String, Value> = row
            .values
            .iter()
            .map(|(subject, values)| (subject.name().to_owned(), json!(values)))
            .collect();
        let metric = row.metric;
        json!({
            "measure": row.measure, "metric": metric.name, "unit": metric.unit, "values": values,
        })
    });
    let goals = (comparison.goals)().into_iter().map(|goal| {
        let reached = goal.reached(results, comparison.subject);
        let met = reached.map(|value| goal.is_met_by(value));
        json!({ "goal": goal.text, "reached": reached, "unit": goal.unit(), "met": met })
    });
    let about: serde_json::Map<String, Value> =
        about.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "run": about,
        "results": rows.collect::<Vec<_>>(),
        "goals": goals.collect::<Vec<_>>(),
    })
}
