//! Ways that lead to no template, since something else stands there.

use super::*;

#[test]
fn what_stands_in_the_way_to_a_template_is_told_with_its_place() {
    let sequence = "invalid type: sequence, expected an object";
    for (group, kind, object, at, told) in [
        ("apps", "Deployment", json!({"spec": []}), "/spec", format!("spec: {sequence}")),
        ("apps", "Deployment", json!({"spec": {"template": [{}]}}), "/spec/template", sequence.to_owned()),
        (
            "apps",
            "Deployment",
            json!({"spec": "x"}),
            "/spec",
            "spec: invalid type: string \"x\", expected an object".into(),
        ),
        (
            "ray.io",
            "RayCluster",
            json!({"spec": {"headGroupSpec": []}}),
            "/spec/headGroupSpec",
            format!("spec.headGroupSpec: {sequence}"),
        ),
        (
            "ray.io",
            "RayCluster",
            json!({"spec": {"headGroupSpec": {"template": []}}}),
            "/spec/headGroupSpec/template",
            sequence.to_owned(),
        ),
        (
            "ray.io",
            "RayCluster",
            json!({"spec": {"workerGroupSpecs": [[]]}}),
            "/spec/workerGroupSpecs/0",
            format!("spec.workerGroupSpecs.0: {sequence}"),
        ),
    ] {
        let Err(error) = subjects(group, kind, &object) else { panic!("admitted: {object}") };
        assert_eq!(error.place().unwrap().to_string(), at);
        assert!(error.to_string().ends_with(&told), "{error}");
    }
}

#[test]
fn where_nothing_stands_on_the_way_there_is_no_template() {
    for object in
        [json!({}), json!({"spec": null}), json!({"spec": {"headGroupSpec": null, "workerGroupSpecs": [null]}})]
    {
        assert!(subjects("ray.io", "RayCluster", &object).unwrap().is_empty(), "{object}");
    }
}

#[test]
fn a_path_may_lead_through_one_element_of_a_list() {
    let mut paths = TemplatePaths::default();
    paths.add("example.org", "Farm", "/spec/groups/1/template".parse().unwrap());
    let object = json!({"spec": {"groups": [{}, {"template": held(Holds::PodTemplate)}]}}).to_string();
    let object = Document::from_text(RawValue::from_string(object).unwrap());
    assert_eq!(paths.subjects(&of_kind("example.org", "Farm"), &object).unwrap().len(), 1);
}
