use std::os::unix::fs::symlink;

use tempfile::{TempDir, tempdir};

use super::*;

fn object(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
}

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

async fn render(path: &Path) -> Result<Vec<String>, Vec<String>> {
    let tools = Tools::from_environment();
    let rendered = Manifests(path.to_owned()).render(&Target::default(), &tools).await;
    let name = |file: &Path| file.strip_prefix(path).unwrap_or(file).display().to_string();
    match rendered {
        Ok(rendered) => Ok(rendered
            .manifests
            .iter()
            .map(|it| {
                format!(
                    "{}:{} {}",
                    name(&it.origin.from),
                    it.origin.line.unwrap(),
                    it.object.name()
                )
            })
            .collect()),
        Err(RenderError::Manifests(faults)) => Err(faults
            .0
            .iter()
            .map(|it| {
                let line = it.origin.line.map_or_else(String::new, |it| format!(":{it}"));
                format!("{}{line}: {}", name(&it.origin.from), it.message)
            })
            .collect()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_directory_is_read_in_the_order_of_its_names() {
    let json = r#"{"apiVersion": "v1", "kind": "A", "metadata": {"name": "j"}}"#;
    let two = format!("{}---\n{}", object("c1"), object("c2"));
    let directory = directory(&[
        ("c.yaml", &two),
        ("a/z.yml", &object("z")),
        ("b.JSON", json),
        ("README.md", ": : :"),
        (".git/x.yaml", ": : :"),
        (".hidden.yaml", ": : :"),
        ("d/empty.yaml", "# nothing\n"),
    ]);
    assert_eq!(
        render(directory.path()).await.unwrap(),
        ["a/z.yml:1 z", "b.JSON:1 j", "c.yaml:1 c1", "c.yaml:5 c2"]
    );
    let file = directory.path().join("a/z.yml");
    assert_eq!(render(&file).await.unwrap(), [":1 z"]);
}

#[tokio::test]
async fn all_broken_files_are_told_at_once() {
    let directory = directory(&[
        ("a.yaml", "kind: A\n"),
        ("b/c.yaml", "\n\napiVersion: v1\nkind: A\n"),
        ("d.json", "{"),
    ]);
    fs::write(directory.path().join("e.yaml"), b"a: b\nc: \xff\n").unwrap();
    assert_eq!(
        render(directory.path()).await.unwrap_err(),
        [
            "a.yaml:1: has no text in `apiVersion`",
            "b/c.yaml:3: has no text in `metadata.name`",
            "d.json:1: is not JSON: EOF while parsing an object",
            "e.yaml: is not UTF-8 in line 2",
        ]
    );
}

#[tokio::test]
async fn links_are_followed_within_the_directory_only() {
    // As Kubernetes mounts a ConfigMap.
    let mounted =
        directory(&[("..2026/web.yaml", &object("web")), ("..2026/sub/db.yaml", &object("db"))]);
    let path = mounted.path();
    symlink("..2026", path.join("..data")).unwrap();
    symlink("..data/web.yaml", path.join("web.yaml")).unwrap();
    symlink("..data/sub", path.join("sub")).unwrap();
    symlink("web.yaml", path.join("again.yaml")).unwrap();
    symlink(".", path.join("ring")).unwrap();
    assert_eq!(render(path).await.unwrap(), ["again.yaml:1 web", "sub/db.yaml:1 db"]);

    let other = directory(&[("secret.yaml", &object("secret"))]);
    symlink(other.path().join("secret.yaml"), path.join("x.yaml")).unwrap();
    symlink(other.path(), path.join("y")).unwrap();
    symlink("nowhere", path.join("z.yaml")).unwrap();
    symlink("/etc/hostname", path.join("no-manifest")).unwrap();
    let out = "is a symbolic link that leads out of the directory; put the file itself here";
    assert_eq!(
        render(path).await.unwrap_err(),
        [
            format!("x.yaml: {out}"),
            format!("y: {out}"),
            "z.yaml: can't be read: No such file or directory (os error 2)".to_owned(),
        ]
    );
}

#[tokio::test]
async fn what_cannot_be_manifests_is_refused() {
    let directory = directory(&[("k/kustomization.yaml", "resources: []\n"), ("large.yaml", "")]);
    let large = File::create(directory.path().join("large.yaml")).unwrap();
    large.set_len(MOST_OCTETS + 1).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        directory.path().join("pipe.yaml"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let kustomize =
        "is a kustomization; write `kustomize` with its directory instead of `manifests`";
    assert_eq!(
        render(directory.path()).await.unwrap_err(),
        [format!("k/kustomization.yaml: {kustomize}")]
    );
    fs::remove_dir_all(directory.path().join("k")).unwrap();
    assert_eq!(
        render(directory.path()).await.unwrap_err(),
        [
            "large.yaml: is too large: a file may have 16 MiB, and all of an app's together 64 MiB",
            "pipe.yaml: is no regular file",
        ]
    );
    let nothing = render(&directory.path().join("nothing")).await.unwrap_err();
    assert_eq!(nothing, [": can't be read: No such file or directory (os error 2)"]);
}
