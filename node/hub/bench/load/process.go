package load

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

const tick = 1.0 / 100 // USER_HZ of Linux, in seconds

// cpu is what a process has used so far, in seconds.
func cpu(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+2:]))
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) * tick
}

// busy is what all processes have used so far, in seconds: what others took shows beside what was measured.
func busy() (sum float64) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, s := range strings.Fields(line)[1:9] {
		if i == 3 || i == 4 { // idle, and waiting for a disk
			continue
		}
		v, _ := strconv.ParseFloat(s, 64)
		sum += v
	}
	return sum * tick
}

// statusKB is a line of a process's status: VmRSS:, VmHWM:.
func statusKB(pid int, key string) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == key {
			v, _ := strconv.ParseFloat(f[1], 64)
			return v
		}
	}
	return 0
}

// connections is how many a server holds on that port. What it closed and the kernel still sends, or cannot send, is none.
func connections(address string) (n int) {
	_, port, _ := strings.Cut(address, ":")
	number, _ := strconv.Atoi(port)
	local, listens := fmt.Sprintf(":%04X", number), "0A"
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, _ := os.ReadFile(table)
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line) // number, local, remote, state, queues, timer, retransmissions, user, timeout, inode
			if len(f) > 9 && strings.HasSuffix(f[1], local) && f[3] != listens && f[9] != "0" {
				n++
			}
		}
	}
	return n
}
