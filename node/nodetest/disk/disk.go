// Package disk puts a disk under the SQLite databases of a folder that can be slow, full or broken, for tests: the program knows nothing of it. It also looks through
// what lies on one.
//
// SQLite reaches files through a table of functions, its VFS. Under registers one that passes everything on to the system's and gets in between where a file
// below a folder it was given is written or synced. It stays registered for the life of the process, as SQLite's tables do, and does nothing to other files.
package disk

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// A Disk is sound and fast until told otherwise.
type Disk struct {
	dir string

	mu     sync.Mutex // protects what follows
	slow   time.Duration
	slowed int    // counts calls of Slow
	fails  int32  // SQLite's code, of writes
	broken string // what the names of files begin with whose next sync fails; empty: none
	syncs  int
	during func(path string) // of Watch
	read   int64
	cached map[string][]cached // by file: what was written and not synced, oldest first
}

// Under puts a disk under what is opened below dir from now on.
func Under(t testing.TB, dir string) *Disk {
	t.Helper()
	shim.once.Do(register)
	if shim.err != "" {
		t.Fatal(shim.err)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := &Disk{dir: abs + string(filepath.Separator), cached: map[string][]cached{}}
	shim.disks.Store(d, d)
	t.Cleanup(func() { shim.disks.Delete(d) })
	return d
}

// Slow makes each sync take that long, in fake time in a synctest bubble; 0 makes the disk fast again. It concerns files that are open now: a store may be opened
// while others wait for a mutex, and fake time would stand still.
func (d *Disk) Slow(sync time.Duration) {
	d.set(func() {
		d.slow = sync
		d.slowed++
	})
}

// Fill makes writes fail for lack of room, or, with false, makes room.
func (d *Disk) Fill(full bool) { d.fail(full, sqlite3.SQLITE_FULL) }

// Refuse makes writes fail as those of a disk that is broken, or mounted read-only meanwhile; with false, no longer.
func (d *Disk) Refuse(refused bool) { d.fail(refused, sqlite3.SQLITE_IOERR_WRITE) }

func (d *Disk) fail(fails bool, code int32) {
	d.set(func() {
		if d.fails = sqlite3.SQLITE_OK; fails {
			d.fails = code
		}
	})
}

// Break makes the next sync fail of a file whose name begins so: a database, or its WAL.
func (d *Disk) Break(name string) { d.set(func() { d.broken = name }) }

func (d *Disk) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// Watch has f called in each sync, with the name of the file.
func (d *Disk) Watch(f func(path string)) { d.set(func() { d.during = f }) }

// Syncs is how many syncs began.
func (d *Disk) Syncs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncs
}

// Read is how many bytes were read.
func (d *Disk) Read() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.read
}

func (d *Disk) write() int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fails
}

func (d *Disk) sync(path string, opened int) int32 {
	d.mu.Lock()
	d.syncs++
	slow, during, broken := d.slow, d.during, d.broken != "" && strings.HasPrefix(filepath.Base(path), d.broken)
	if broken {
		d.broken = ""
	}
	if opened == d.slowed {
		slow = 0
	}
	d.mu.Unlock()
	if during != nil {
		during(path)
	}
	time.Sleep(slow)
	if broken {
		return sqlite3.SQLITE_IOERR_FSYNC
	}
	return sqlite3.SQLITE_OK
}

// shim is what is registered. SQLite's VFSs are the process's, so this must be too.
var shim struct {
	once    sync.Once
	err     string
	below   uintptr  // the system's VFS
	disks   sync.Map // of *Disk
	mu      sync.Mutex
	methods map[uintptr]uintptr // by the system's
	files   sync.Map            // *opened by file
}

// methods are a file's, with the system's beside them.
type methods struct {
	ours, below sqlite3.Tsqlite3_io_methods
}

func register() {
	tls := libc.NewTLS()
	defer tls.Close()
	shim.methods = map[uintptr]uintptr{}
	if shim.below = sqlite3.Xsqlite3_vfs_find(tls, 0); shim.below == 0 {
		shim.err = "SQLite has no VFS"
		return
	}
	name, err := libc.CString("test disk")
	if err != nil {
		shim.err = err.Error()
		return
	}
	vfs := keep(tls, *at[sqlite3.Tsqlite3_vfs](shim.below))
	at[sqlite3.Tsqlite3_vfs](vfs).FzName = name
	at[sqlite3.Tsqlite3_vfs](vfs).FpNext = 0
	at[sqlite3.Tsqlite3_vfs](vfs).FxOpen = pointer(open)
	if rc := sqlite3.Xsqlite3_vfs_register(tls, vfs, 1); rc != sqlite3.SQLITE_OK {
		shim.err = "SQLite takes no VFS"
	}
}

// keep copies v to where SQLite may point to for ever: outside Go's heap.
func keep[T any](tls *libc.TLS, v T) uintptr {
	p := sqlite3.Xsqlite3_malloc(tls, int32(unsafe.Sizeof(v)))
	*at[T](p) = v
	return p
}

// at is what stands at an address of C's.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// An opened file is one of a disk's.
type opened struct {
	disk   *Disk
	path   string
	slowed int // the disk's, when it was opened
}

func openedAs(file uintptr) *opened {
	v, _ := shim.files.Load(file)
	return v.(*opened)
}

// pointer is the address that SQLite calls a function by, and function the other way round; modernc.org/sqlite does the same for its callbacks.
func pointer[F any](f F) uintptr  { return *(*uintptr)(unsafe.Pointer(&struct{ f F }{f})) }
func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&struct{ p uintptr }{p})) }
func below(file uintptr) *methods { return at[methods](at[sqlite3.Tsqlite3_file](file).FpMethods) }
func diskAt(path string) (at *Disk) {
	shim.disks.Range(func(_, v any) bool {
		if d := v.(*Disk); strings.HasPrefix(path, d.dir) {
			at = d
		}
		return true
	})
	return at
}

func open(tls *libc.TLS, _, name, file uintptr, flags int32, out uintptr) int32 {
	rc := function[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](at[sqlite3.Tsqlite3_vfs](shim.below).FxOpen)(tls, shim.below, name, file, flags, out)
	if rc != sqlite3.SQLITE_OK || name == 0 {
		return rc
	}
	o := &opened{path: libc.GoString(name)}
	if o.disk = diskAt(o.path); o.disk == nil {
		return rc
	}
	o.disk.set(func() { o.slowed = o.disk.slowed })
	shim.files.Store(file, o)
	f := at[sqlite3.Tsqlite3_file](file)
	shim.mu.Lock()
	defer shim.mu.Unlock()
	m, ok := shim.methods[f.FpMethods]
	if !ok {
		both := methods{below: *at[sqlite3.Tsqlite3_io_methods](f.FpMethods)}
		both.ours = both.below
		both.ours.FxClose, both.ours.FxRead, both.ours.FxWrite, both.ours.FxSync = pointer(closed), pointer(read), pointer(write), pointer(synced)
		m = keep(tls, both)
		shim.methods[f.FpMethods] = m
	}
	f.FpMethods = m
	return rc
}

func closed(tls *libc.TLS, file uintptr) int32 {
	m := below(file)
	shim.files.Delete(file)
	return function[func(*libc.TLS, uintptr) int32](m.below.FxClose)(tls, file)
}

func read(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	d := openedAs(file).disk
	d.set(func() { d.read += int64(n) })
	return function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](below(file).below.FxRead)(tls, file, data, n, offset)
}

func write(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	o := openedAs(file)
	if rc := o.disk.write(); rc != sqlite3.SQLITE_OK {
		return rc
	}
	o.caches(tls, file, n, offset)
	return function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](below(file).below.FxWrite)(tls, file, data, n, offset)
}

func synced(tls *libc.TLS, file uintptr, flags int32) int32 {
	o := openedAs(file)
	if rc := o.disk.sync(o.path, o.slowed); rc != sqlite3.SQLITE_OK {
		return rc
	}
	rc := function[func(*libc.TLS, uintptr, int32) int32](below(file).below.FxSync)(tls, file, flags)
	if rc == sqlite3.SQLITE_OK {
		o.disk.set(func() { delete(o.disk.cached, o.path) })
	}
	return rc
}
