//! A database put back by hand to what it was, as an operator would who does not know `passant restore`.

use std::path::PathBuf;

use super::{Storage, World};

/// What a database was.
pub struct Backup<'w> {
    world: &'w World,
    /// The copy of the file, on SQLite. Postgres keeps the rows in a schema beside them.
    file: Option<PathBuf>,
}

impl<'w> Backup<'w> {
    /// Copies everything as it is now.
    pub async fn take(world: &'w World) -> Self {
        let file = match world.storage() {
            Storage::Sqlite(directory) => {
                let copy = directory.0.join("backup");
                world.execute(&format!("VACUUM INTO '{}'", copy.display())).await;
                Some(copy)
            }
            Storage::Postgres(_) => {
                world.execute("CREATE SCHEMA backup").await;
                each_table(world, "CREATE TABLE backup.%I AS TABLE public.%I").await;
                None
            }
        };
        Self { world, file }
    }

    /// Ends the process of the world, and puts everything back. Others are started on it with [`World::replica`].
    pub async fn put_back(&self) {
        self.world.db().close().await;
        match (self.world.storage(), &self.file) {
            (Storage::Sqlite(directory), Some(copy)) => {
                for journal in ["passant.sqlite-wal", "passant.sqlite-shm"] {
                    drop(std::fs::remove_file(directory.0.join(journal)));
                }
                std::fs::copy(copy, directory.0.join("passant.sqlite")).expect("the file can be copied back");
            }
            (Storage::Sqlite(_), None) | (Storage::Postgres(_), _) => {
                each_table(self.world, "DELETE FROM public.%I").await;
                each_table(self.world, "INSERT INTO public.%I SELECT * FROM backup.%I").await;
            }
        }
    }
}

/// Does this with each table, whatever refers to it.
async fn each_table(world: &World, statement: &str) {
    let names = vec!["t"; statement.matches("%I").count()].join(", ");
    let all = format!(
        "DO $$ DECLARE t text; BEGIN
             PERFORM set_config('session_replication_role', 'replica', true);
             FOR t IN SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
             LOOP EXECUTE format('{statement}', {names}); END LOOP;
         END $$"
    );
    world.execute(&all).await;
}
