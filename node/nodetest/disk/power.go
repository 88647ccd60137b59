package disk

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// cached is one write that is not synced: what stood there before.
type cached struct {
	offset int64
	n      int32
	old    []byte // shorter than n where the file ended
	size   int64  // of the file
}

// caches notes what a write is about to replace.
func (o *opened) caches(tls *libc.TLS, file uintptr, n int32, offset int64) {
	m := below(file)
	p := sqlite3.Xsqlite3_malloc(tls, n+8)
	defer sqlite3.Xsqlite3_free(tls, p)
	function[func(*libc.TLS, uintptr, uintptr) int32](m.below.FxFileSize)(tls, file, p)
	c := cached{offset: offset, n: n, size: *at[int64](p)}
	if had := min(c.size-offset, int64(n)); had > 0 {
		function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](m.below.FxRead)(tls, file, p, int32(had), offset)
		c.old = append(c.old, unsafe.Slice(at[byte](p), had)...)
	}
	o.disk.set(func() {
		if c.size == 0 {
			delete(o.disk.cached, o.path) // another file, under the old one's name
		}
		o.disk.cached[o.path] = append(o.disk.cached[o.path], c)
	})
}

// LosePower takes from to, a copy of the disk's folder from, what a power cut may take: each write that was not synced is there, or not, or half.
func (d *Disk) LosePower(t testing.TB, from, to string, rng *rand.Rand) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, writes := range d.cached {
		rel, err := filepath.Rel(from, path)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(to, rel))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, rel), undo(b, writes, rng), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// undo takes some writes out of a file.
func undo(b []byte, writes []cached, rng *rand.Rand) []byte {
	size := writes[0].size
	all := rng.IntN(3) == 0
	for i := len(writes) - 1; i >= 0; i-- {
		w := writes[i]
		end := w.offset + int64(w.n)
		if end > int64(len(b)) {
			continue // the file was cut short since
		}
		switch k := rng.IntN(4); {
		case all || k == 0:
			copy(b[w.offset:end], make([]byte, w.n))
			copy(b[w.offset:end], w.old)
		case k == 1 && w.n > 1:
			half := w.offset + int64(rng.IntN(int(w.n)))
			for j := half; j < end; j++ {
				b[j] = byte(rng.Uint32())
			}
			size = max(size, end)
		default:
			size = max(size, end)
		}
	}
	return b[:min(size, int64(len(b)))]
}
