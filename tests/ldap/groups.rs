//! Groups of the directory that fill teams.

use ureq::http::Method;

use crate::house::bearer;
use crate::stand::{PASSWORD, SCOPE, Stand};
use crate::support::slapd::{MemberOf, SUFFIX, Slapd, group, person};

const GROUP_BASE: &str = "ou=groups,dc=example,dc=org";

/// A directory where `lin` is in `devs`, and `devs` in `staff`.
fn slapd(member_of: MemberOf) -> Slapd {
    let slapd = Slapd::start(member_of);
    slapd.person("lin", PASSWORD);
    slapd.person("omar", "omar's own");
    slapd.group("devs", &[&person("lin"), &person("omar")]);
    slapd.group("staff", &[&group("devs")]);
    slapd
}

impl Stand {
    /// Has a group fill a team that may read `team/private`.
    fn fill(&self, group: &str) {
        self.house.admin(&["team", "team", "devs"]);
        self.house.admin(&["grant", "team", "read", "--to", "team:devs", "--on", "team/private"]);
        self.house.admin(&["groups", "team", "devs", "--add", &format!("ldap={group}")]);
        let listed = self.house.admin(&["groups", "team", "devs"]);
        assert_eq!(listed, format!("ldap={group}"));
    }

    fn granted(&self, name: &str, password: &str) -> String {
        let reply = self.log_in(name, password);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["scope"].as_str().unwrap().to_owned()
    }
}

#[test]
fn who_is_in_a_group_pulls_what_its_team_may() {
    let stand = Stand::before(slapd(MemberOf::Direct), &[]);
    assert_eq!(stand.granted("lin", PASSWORD), "");
    stand.fill(&group("devs"));
    let token = stand.log_in("lin", PASSWORD).json()["token"].as_str().unwrap().to_owned();
    let pulled = stand.house.ask(Method::GET, "/v2/team/private/manifests/v1", &bearer(&token));
    assert_eq!(pulled.status, 200, "{}", pulled.text());
    let explained = stand.house.admin(&["explain", "user:lin", "team/private"]);
    assert!(explained.contains("the team devs"), "{explained}");
    // Taken out of the group, the next token is without it.
    stand.slapd.take_out("devs", &person("lin"));
    assert_eq!(stand.granted("lin", PASSWORD), "");
    assert_eq!(stand.granted("omar", "omar's own"), SCOPE);
    let written = stand.house.admin(&["audit", "--all", "--json"]);
    assert!(written.contains("team.groups"), "{written}");
}

/// For operators: groups in the very words in which they fill teams.
#[test]
fn how_somebody_stands_in_the_directory_can_be_looked_up() {
    let stand = Stand::before(slapd(MemberOf::Direct), &[]);
    let told = stand.house.admin(&["ldap", "lin"]);
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines[0], format!("entry: {}", person("lin")));
    assert!(lines[1].starts_with("subject: ") && lines[1].len() == 45, "{told}");
    let rest = format!("name: lin\nmail: lin@example.org\ngroup: ldap={}", group("devs"));
    assert_eq!(lines[2..].join("\n"), rest);
    stand.fill(&group("devs"));
    let group = lines[4].strip_prefix("group: ").unwrap();
    assert_eq!(stand.house.admin(&["groups", "team", "devs"]), group);
    // Nobody was bound but who searches, and nobody was made.
    assert_eq!(stand.binds(&person("lin")), 0);
    assert!(!stand.house.admin(&["audit", "--all"]).contains("user:lin"));
}

#[test]
fn a_group_of_groups_is_read_where_the_directory_says_so() {
    let direct = Stand::before(slapd(MemberOf::Direct), &[]);
    direct.fill(&group("staff"));
    assert_eq!(direct.granted("lin", PASSWORD), "");
    let nested = Stand::before(slapd(MemberOf::Nested), &[]);
    nested.fill(&group("staff"));
    assert_eq!(nested.granted("lin", PASSWORD), SCOPE);
    nested.slapd.take_out("devs", &person("lin"));
    assert_eq!(nested.granted("lin", PASSWORD), "");
}

#[test]
fn groups_are_searched_where_entries_do_not_list_them() {
    let settings = [
        ("WHARF_LDAP_GROUP_BASE", GROUP_BASE),
        ("WHARF_LDAP_GROUP_FILTER", "(&(objectClass=groupOfNames)(member={dn}))"),
        ("WHARF_LDAP_MEMBER_OF_ATTRIBUTE", "description"),
    ];
    let stand = Stand::before(slapd(MemberOf::Direct), &settings);
    stand.fill(&group("devs"));
    assert_eq!(stand.granted("lin", PASSWORD), SCOPE);
    // A name with marks of the filter's own is a value there too.
    let odd = format!(r"uid=o(x)*,ou=people,{SUFFIX}");
    stand.slapd.person_at(&odd, "odd", "the password of odd");
    assert_eq!(stand.granted("odd", "the password of odd"), "");
    stand.slapd.group("odd", &[&odd]);
    stand.house.admin(&["groups", "team", "devs", "--add", &format!("ldap={}", group("odd"))]);
    assert_eq!(stand.granted("odd", "the password of odd"), SCOPE);
    stand.house.admin(&["groups", "team", "devs", "--remove", &format!("ldap={}", group("odd"))]);
    assert_eq!(stand.granted("odd", "the password of odd"), "");
}

#[test]
fn groups_can_be_called_by_an_attribute() {
    let settings = [
        ("WHARF_LDAP_GROUP_BASE", GROUP_BASE),
        ("WHARF_LDAP_GROUP_ATTRIBUTE", "cn"),
        ("WHARF_LDAP_GROUP_FILTER", "(|(member={dn})(description=of {name}))"),
    ];
    let stand = Stand::before(slapd(MemberOf::Direct), &settings);
    stand.fill("devs");
    assert_eq!(stand.granted("lin", PASSWORD), SCOPE);
    stand.slapd.take_out("devs", &person("lin"));
    assert_eq!(stand.granted("lin", PASSWORD), "");
    let dn = group("devs");
    let add = "changetype: modify\nadd: description\ndescription: of lin";
    stand.slapd.change(&format!("dn: {dn}\n{add}\n"));
    assert_eq!(stand.granted("LIN", PASSWORD), SCOPE);
}

#[test]
fn who_is_not_in_the_required_group_is_not_let_in() {
    let required = group("Devs").to_uppercase();
    let stand =
        Stand::before(slapd(MemberOf::Direct), &[("WHARF_LDAP_REQUIRED_GROUP", required.as_str())]);
    stand.slapd.person("stranger", "the stranger's own");
    assert_eq!(stand.log_in("stranger", "the stranger's own").status, 401);
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    stand.slapd.take_out("devs", &person("lin"));
    assert_eq!(stand.log_in("lin", PASSWORD).status, 401);
}
