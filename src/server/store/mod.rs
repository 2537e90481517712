//! What an embedded control plane keeps: apps, every revision, secrets, projects and ports in SQLite, code bundles as
//! files beside it.
//!
//! Every method that writes returns once the change is on the disk. A call takes at most a few milliseconds, so it may
//! be made from asynchronous code.

#![allow(clippy::disallowed_methods, reason = "the store is an edge: files are its matter")]

mod bundles;
mod secrets;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use buffa::Message;
use flyte_schema::flyteidl2::app::App;
use flyte_schema::flyteidl2::project::{Domain, Project};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::state::{Cause, Change, Record};
use crate::model::{AppId, AppName, Scope};

pub use bundles::{BundlePath, InvalidBundlePath};
pub use secrets::{SecretKey, StoredSecret};

/// The number of the layout of the database.
const FORMAT: i64 = 1;

/// The project that is there from the start.
const FIRST_PROJECT: &str = "flytesnacks";
/// The domains of every project.
const DOMAINS: [&str; 3] = ["development", "staging", "production"];

const TABLES: &str = "
    CREATE TABLE apps (
        project TEXT NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL,
        running INTEGER NOT NULL, app BLOB NOT NULL,
        PRIMARY KEY (project, domain, name)
    ) WITHOUT ROWID;
    CREATE TABLE revisions (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        project TEXT NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL,
        revision INTEGER NOT NULL, at TEXT NOT NULL, app BLOB
    );
    CREATE INDEX revisions_of_app ON revisions (project, domain, name, sequence);
    CREATE TABLE secrets (
        project TEXT NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL,
        created TEXT NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (project, domain, name)
    ) WITHOUT ROWID;
    CREATE TABLE ports (
        project TEXT NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL, port INTEGER NOT NULL,
        PRIMARY KEY (project, domain, name)
    ) WITHOUT ROWID;
    CREATE TABLE projects (id TEXT PRIMARY KEY, project BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE settings (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
";

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "the database `{path}` has format {found}; this program knows formats up to {FORMAT}: use a newer `flyte`, or `flyte local reset` to begin anew"
    )]
    Newer { path: PathBuf, found: i64 },
    #[error("the database")]
    Database(#[from] rusqlite::Error),
    #[error("`{path}`")]
    File { path: PathBuf, source: io::Error },
    #[error("the record of app {0} is damaged")]
    Damaged(String),
}

/// One write of an app as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    pub revision: u64,
    pub at: String,
    /// `None`: the app was deleted.
    pub app: Option<App>,
}

/// Takes a directory away from everybody but its owner, where it is ours: what was made by another program or version, and
/// holds a database of ours or nothing. One that many write to, as a temporary directory is, stays as it is.
fn narrow(directory: &Path, database: &Path) {
    let Ok(found) = fs::metadata(directory) else { return };
    let mode = found.permissions().mode();
    let is_ours = || database.exists() || fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none());
    if mode & 0o077 != 0 && mode & 0o1000 == 0 && is_ours() {
        // Where it belongs to somebody else, they decide.
        let _ = fs::set_permissions(directory, fs::Permissions::from_mode(mode & 0o700));
    }
}

/// The files of one control plane. One process at a time may hold it open.
pub struct Store {
    directory: PathBuf,
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens what is in a directory, or begins it there. Only its owner may read it.
    ///
    /// # Errors
    /// [`StoreError::Newer`] for a database of a later version of this program.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let file = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::File { path, source }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(file(directory))?;
        let path = directory.join("server.db");
        narrow(directory, &path);
        // SQLite would create it readable for all.
        let mut options = fs::OpenOptions::new();
        options.create(true).append(true).mode(0o600).open(&path).map_err(file(&path))?;
        let mut connection = Connection::open(&path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "secure_delete", "on")?;
        match connection.pragma_query_value(None, "user_version", |row| row.get(0))? {
            0 => {
                let begin = connection.transaction()?;
                begin.execute_batch(TABLES)?;
                begin.pragma_update(None, "user_version", FORMAT)?;
                begin.commit()?;
            }
            FORMAT => {}
            found => return Err(StoreError::Newer { path, found }),
        }
        let store = Self { directory: directory.to_owned(), connection: Mutex::new(connection) };
        store.ensure_project(FIRST_PROJECT)?;
        Ok(store)
    }

    /// Opens what is in a directory without changing it. `None` where nothing is.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_read_only(directory: &Path) -> Result<Option<Self>, StoreError> {
        let path = directory.join("server.db");
        if !path.is_file() {
            return Ok(None);
        }
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        match connection.pragma_query_value(None, "user_version", |row| row.get(0))? {
            // Begun, and ended before the tables were there.
            0 => Ok(None),
            FORMAT => Ok(Some(Self { directory: directory.to_owned(), connection: Mutex::new(connection) })),
            found => Err(StoreError::Newer { path, found }),
        }
    }

    /// Brings everything into the one file of the database, so that reading it needs no other file and makes none.
    ///
    /// # Errors
    /// [`StoreError::Database`]; nothing is lost by it.
    pub fn settle(&self) -> Result<(), StoreError> {
        Ok(self.connection().pragma_update(None, "journal_mode", "delete")?)
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every app, by its identity.
    ///
    /// # Errors
    /// [`StoreError::Damaged`]
    pub fn apps(&self) -> Result<Vec<(AppId, Record)>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare("SELECT project, domain, name, running, app FROM apps ORDER BY 1, 2, 3")?;
        let rows = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, Vec<u8>>(4)?)))?;
        let mut apps = Vec::new();
        for row in rows {
            let (project, domain, name, running, bytes): (String, String, String, bool, _) = row?;
            let damaged = || StoreError::Damaged(format!("{project}/{domain}/{name}"));
            let app = App::decode_from_slice(&bytes).map_err(|_| damaged())?;
            let name = AppName::new(name.as_str()).map_err(|_| damaged())?;
            let deployed = app.metadata.revision;
            let id = AppId { scope: Scope { org: String::new(), project, domain }, name };
            apps.push((id, Record { app, running, deployed }));
        }
        Ok(apps)
    }

    /// Makes a change durable; a write adds a revision.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn save(&self, change: &Change) -> Result<(), StoreError> {
        let AppId { scope, name } = &change.id;
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let bytes = change.new.as_ref().map(|record| record.app.encode_to_vec());
        match &change.new {
            Some(record) => transaction.execute(
                "INSERT OR REPLACE INTO apps (project, domain, name, running, app) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![scope.project, scope.domain, name.as_str(), record.running, bytes],
            )?,
            None => transaction.execute(
                "DELETE FROM apps WHERE project = ?1 AND domain = ?2 AND name = ?3",
                params![scope.project, scope.domain, name.as_str()],
            )?,
        };
        if change.cause == Cause::Write {
            let last = change.new.as_ref().or(change.old.as_ref());
            let revision = last.map_or(0, |record| record.app.metadata.revision);
            transaction.execute(
                "INSERT INTO revisions (project, domain, name, revision, at, app) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    scope.project,
                    scope.domain,
                    name.as_str(),
                    revision.cast_signed(),
                    change.at.to_string(),
                    bytes
                ],
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Every write of an app, oldest first, also of one that was deleted.
    ///
    /// # Errors
    /// [`StoreError::Damaged`]
    pub fn revisions(&self, id: &AppId) -> Result<Vec<Revision>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare(
            "SELECT revision, at, app FROM revisions WHERE project = ?1 AND domain = ?2 AND name = ?3 ORDER BY sequence",
        )?;
        let key = params![id.scope.project, id.scope.domain, id.name.as_str()];
        let rows = query.query_map(key, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut revisions = Vec::new();
        for row in rows {
            let (revision, at, bytes): (i64, String, Option<Vec<u8>>) = row?;
            let app = bytes.map(|bytes| App::decode_from_slice(&bytes)).transpose();
            let app = app.map_err(|_| StoreError::Damaged(id.to_string()))?;
            revisions.push(Revision { revision: revision.cast_unsigned(), at, app });
        }
        Ok(revisions)
    }

    /// The port that an app's URL had.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn port(&self, id: &AppId) -> Result<Option<u16>, StoreError> {
        let query = "SELECT port FROM ports WHERE project = ?1 AND domain = ?2 AND name = ?3";
        let key = params![id.scope.project, id.scope.domain, id.name.as_str()];
        Ok(self.connection().query_row(query, key, |row| row.get(0)).optional()?)
    }

    /// # Errors
    /// When the database cannot be written.
    pub fn set_port(&self, id: &AppId, port: u16) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT OR REPLACE INTO ports (project, domain, name, port) VALUES (?1, ?2, ?3, ?4)",
            params![id.scope.project, id.scope.domain, id.name.as_str(), port],
        )?;
        Ok(())
    }

    /// A project as it was stored; any other is there as soon as it is asked for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn project(&self, id: &str) -> Result<Project, StoreError> {
        let query = "SELECT project FROM projects WHERE id = ?1";
        let bytes: Option<Vec<u8>> = self.connection().query_row(query, [id], |row| row.get(0)).optional()?;
        Ok(bytes.and_then(|bytes| Project::decode_from_slice(&bytes).ok()).unwrap_or_else(|| new_project(id)))
    }

    /// # Errors
    /// When the database cannot be read.
    pub fn has_project(&self, id: &str) -> Result<bool, StoreError> {
        let query = "SELECT count(*) FROM projects WHERE id = ?1";
        Ok(self.connection().query_row(query, [id], |row| row.get::<_, i64>(0))? > 0)
    }

    /// Every stored project, by its identifier.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn projects(&self) -> Result<Vec<Project>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare("SELECT project FROM projects ORDER BY id")?;
        let rows = query.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        let mut projects = Vec::new();
        for bytes in rows {
            projects.extend(Project::decode_from_slice(&bytes?));
        }
        Ok(projects)
    }

    /// # Errors
    /// When the database cannot be written.
    pub fn save_project(&self, project: &Project) -> Result<(), StoreError> {
        let mut project = project.clone();
        if project.domains.is_empty() {
            project.domains = domains();
        }
        self.connection().execute(
            "INSERT OR REPLACE INTO projects (id, project) VALUES (?1, ?2)",
            params![project.id, project.encode_to_vec()],
        )?;
        Ok(())
    }

    /// Stores a project that something is put into.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn ensure_project(&self, id: &str) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT OR IGNORE INTO projects (id, project) VALUES (?1, ?2)",
            params![id, new_project(id).encode_to_vec()],
        )?;
        Ok(())
    }

    /// The key that signed addresses are signed with, made when first asked for.
    ///
    /// # Errors
    /// When the database cannot be written or the system has no random numbers.
    pub fn signing_key(&self) -> Result<[u8; 32], StoreError> {
        let connection = self.connection();
        let query = "SELECT value FROM settings WHERE key = 'signing_key'";
        if let Some(key) = connection.query_row(query, [], |row| row.get(0)).optional()? {
            return Ok(key);
        }
        let mut key = [0; 32];
        let source = Path::new("/dev/urandom");
        let random = fs::File::open(source).and_then(|mut file| file.read_exact(&mut key));
        random.map_err(|error| StoreError::File { path: source.to_owned(), source: error })?;
        connection.execute("INSERT INTO settings (key, value) VALUES ('signing_key', ?1)", [key])?;
        Ok(key)
    }
}

pub fn new_project(id: &str) -> Project {
    Project { id: id.to_owned(), name: id.to_owned(), domains: domains(), ..Default::default() }
}

fn domains() -> Vec<Domain> {
    DOMAINS.iter().map(|&id| Domain { id: id.to_owned(), name: id.to_owned(), ..Default::default() }).collect()
}
