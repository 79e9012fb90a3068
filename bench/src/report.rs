//! Results as text, Markdown and JSON.

use serde_json::{Value, json};

use wharf_bench::figures::number;
use wharf_bench::table::{Form, table};

use crate::goals::goals;
use crate::results::{Results, Row, Spread};
use crate::servers::Subject;

/// All that is to be told: `about` first, then the results, then the goals.
pub fn render(results: &Results, about: &[(&str, String)], form: Form) -> String {
    let about: Vec<Vec<String>> =
        about.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
    let mut rows = Vec::new();
    let mut last = "";
    for row in &results.rows {
        // A measure is named once.
        let name = if row.measure == last { "" } else { &row.measure };
        last = &row.measure;
        rows.push(cells(row, name));
    }
    let heads = ["measured", "what", "wharf", "nginx", "docker-registry", "dd"];
    let ratios = ["÷ nginx", "÷ docker-registry", "÷ dd"];
    let heads = [heads.as_slice(), ratios.as_slice()].concat();
    [
        table(&["run", ""], &about, form),
        table(&heads, &rows, form),
        table(&["goal", "reached", ""], &judged(results), form),
    ]
    .join("\n")
}

fn cells(row: &Row, name: &str) -> Vec<String> {
    let mut cells = vec![name.to_owned(), format!("{}, {}", row.metric.name, row.metric.unit)];
    cells.extend(Subject::ALL.map(|subject| spread(row.spread(subject))));
    let others = [Subject::Nginx, Subject::Registry, Subject::Dd];
    cells.extend(others.map(|subject| spread(row.ratio(subject))));
    cells
}

fn spread(spread: Option<Spread>) -> String {
    let Some(Spread { median, least, most }) = spread else { return String::new() };
    if least == most {
        return number(median);
    }
    format!("{} ({}–{})", number(median), number(least), number(most))
}

fn judged(results: &Results) -> Vec<Vec<String>> {
    let judge = |goal: crate::goals::Goal| {
        let (reached, met) = match goal.reached(results) {
            Some(value) => {
                let met = if goal.is_met_by(value) { "met" } else { "NOT met" };
                (format!("{} {}", number(value), goal.unit()), met)
            }
            None => (String::new(), "not measured"),
        };
        vec![goal.text.to_owned(), reached, met.to_owned()]
    };
    goals().into_iter().map(judge).collect()
}

/// All values, for programs.
pub fn as_json(results: &Results, about: &[(&str, String)]) -> Value {
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
    let goals = goals().into_iter().map(|goal| {
        let reached = goal.reached(results);
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
