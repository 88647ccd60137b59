package rescue

import (
	"os"

	"golang.org/x/sys/unix"
)

// shorten gives the pipe the least room there is, so that a crash is not written before its beginning is read.
func shorten(pipe *os.File) { unix.FcntlInt(pipe.Fd(), unix.F_SETPIPE_SZ, 4096) }
