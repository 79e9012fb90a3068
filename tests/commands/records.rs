//! `wharf audit`.

use crate::desk::{Desk, shows};
use crate::house::House;

#[test]
fn the_audit_log_is_read_and_filtered() {
    let house = House::start();
    let (root, ada) = (Desk::of(&house, "root"), Desk::of(&house, "ada"));
    ada.done("team create team devs");
    ada.done("access grant team write --to team:devs --on team/app");
    shows!(ada.done("audit --namespace team --limit 2"), @r"
        2026-01-01T00:00:00Z | user:ada | grant.put | namespace:team | done | 127.0.0.1 | role=write to=team:devs on=team/app
        2026-01-01T00:00:00Z | user:ada | team.create | team:team/devs | done | 127.0.0.1 | -
        ");
    let seen = root.seen("audit --by user:ada --limit 2");
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines.len(), 3, "{seen}");
    // Each column begins where its head does.
    let head = lines[0];
    for (column, values) in [("BY", "user:ada"), ("FROM", "127.0.0.1")] {
        let at = head.find(column).unwrap();
        assert!(lines[1..].iter().all(|line| line[at..].starts_with(values)), "{seen}");
    }
    let all = root.json("audit --all");
    let all = all.as_array().unwrap();
    let ids: Vec<i64> = all.iter().map(|entry| entry["id"].as_i64().unwrap()).collect();
    assert!(ids.is_sorted() && ids.len() > 10, "the oldest first: {ids:?}");
    let since = all[all.len() - 2]["at"].as_str().unwrap();
    assert_eq!(root.json(&format!("audit --since {since}")).as_array().unwrap().len(), 2);
    assert_eq!(
        root.json(&format!("audit --until {since} --all")).as_array().unwrap().len(),
        all.len() - 2
    );
    assert_eq!(root.json("audit --action team.create").as_array().unwrap().len(), 1);
    assert_eq!(root.done("audit --target team:team/none"), "");
    assert!(
        ada.refused("audit").contains("403"),
        "all of it is for administrators of the registry"
    );
    assert_eq!(ada.run(ada.command("audit --since yesterday"), "").code, 2);
}
