package journal

import (
	"database/sql"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/nodetest/disk"
)

// While a store is being closed, which waits for the disk, nobody else waits for that.
func TestReadWhileClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := disk.Under(t, dir)
		j := open(t, Config{Dir: dir})
		if err := j.store.write(func(tx *sql.Tx) error {
			_, err := tx.Exec("INSERT INTO meta VALUES ('what', 'closing has to sync')")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		d.Slow(time.Hour)
		closed := make(chan error)
		go func() { closed <- j.store.close() }()
		synctest.Wait()
		if !j.store.mu.TryRLock() {
			t.Fatal("readers wait for the disk")
		}
		j.store.mu.RUnlock()
		if _, err := j.Person(person(t, 1).ID()); !errors.Is(err, ErrClosed) {
			t.Errorf("read while the store is being closed: %v", err)
		}
		select {
		case <-closed:
			t.Error("closed without the disk: this test shows nothing")
		default:
		}
		d.Slow(0)
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}
