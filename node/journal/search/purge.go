package search

import (
	"database/sql"

	"earshot/node/journal/database"
)

// purgePages is how many pages of the index Purge has merged at once.
const purgePages = 64

// Removed reports whether the files may hold parts of what was removed.
func (x *Index) Removed() bool { return x.removed }

// Purge does a step of taking out of the files what is left there of what was removed, and reports whether another one may follow at once. In the end all of the index was written anew, and Removed is false but
// where more was removed meanwhile, or somebody reads what was there before: then it is to be tried again later.
func (x *Index) Purge() (more bool, err error) {
	more, err = x.merge(purgePages)
	switch {
	case more || err != nil:
		return more, err
	case !x.merging: // what is removed of what a merge has written already stays there: those that had begun have come to their ends
		x.merging, x.more = true, false
		_, err = x.merge(-purgePages) // a negative number begins to merge all into one
		return err == nil, err
	}
	x.merging = false
	if x.more {
		return false, nil
	}
	// The WAL holds pages as they were.
	if done, err := database.EmptyWAL(x.w); err != nil || !done {
		return false, err
	}
	_, err = x.w.Exec("DELETE FROM meta WHERE key='removed'")
	x.removed = err != nil
	return false, err
}

// merge has FTS5 merge some pages, and reports whether there were any.
func (x *Index) merge(pages int) (some bool, err error) {
	err = x.write(func(tx *sql.Tx) error {
		var before, after int
		err := tx.QueryRow("SELECT total_changes()").Scan(&before)
		if err == nil {
			_, err = tx.Exec("INSERT INTO text(text, rank) VALUES ('merge', ?)", pages)
		}
		if err == nil {
			err = tx.QueryRow("SELECT total_changes()").Scan(&after)
		}
		some = after-before > 1 // the command is one (SQLite: "The 'merge' Command")
		return err
	})
	return some, err
}
