package port

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strconv"
	"syscall"
)

// ErrTaken is wrapped by Open when another program has the port, TCP or UDP.
var ErrTaken = errors.New("another program uses it")

// A Net is what a Port stands on: the operating system's network, or a simulated one in tests.
type Net interface {
	// Listen binds TCP and UDP on the same port number of every address, IPv4 and IPv6. Port 0 is any free one. Where the
	// number is taken the error wraps syscall.EADDRINUSE or the system's own such error.
	Listen(port int) (net.Listener, net.PacketConn, error)
	// Dial opens a TCP connection to host:port.
	Dial(ctx context.Context, address string) (net.Conn, error)
}

// System is the operating system's network. TCP connections have no Nagle delay, and those that were accepted no keep-alive, which takes four system calls for each: whoever has a connection
// has deadlines on it. Nobody dials with multipath TCP, and a listener for it takes longer to accept.
type System struct{}

// Dial opens a TCP connection; of a host name's addresses IPv6 and IPv4 are tried side by side (RFC 8305).
func (System) Dial(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

// anyTries is how often a number that the system picked for TCP may turn out to be taken for UDP.
const anyTries = 10

// Listen binds one socket for both families each. Where the loopback interface has no IPv6 address, Go takes that for a system
// without IPv6 and binds IPv4 alone.
func (System) Listen(port int) (net.Listener, net.PacketConn, error) {
	quiet := net.ListenConfig{KeepAlive: -1}
	quiet.SetMultipathTCP(false)
	for try := 1; ; try++ {
		listener, err := quiet.Listen(context.Background(), "tcp", ":"+strconv.Itoa(port))
		if err != nil {
			return nil, nil, err
		}
		number := int(addrPort(listener.Addr()).Port())
		socket, err := net.ListenPacket("udp", ":"+strconv.Itoa(number))
		if err == nil {
			return listener, socket, nil
		}
		listener.Close()
		if port != 0 || try == anyTries || !taken(err) {
			return nil, nil, err
		}
	}
}

// Windows has its own numbers for what syscall calls EADDRINUSE, EACCES and ECONNREFUSED there (Winsock's error codes).
const (
	wsaEACCES       = syscall.Errno(10013) // also: the port lies in a range that Hyper-V or another keeps for itself
	wsaEADDRINUSE   = syscall.Errno(10048)
	wsaECONNREFUSED = syscall.Errno(10061)
	wsaENETUNREACH  = syscall.Errno(10051)
	wsaEHOSTUNREACH = syscall.Errno(10065)
)

func taken(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) ||
		runtime.GOOS == "windows" && (errors.Is(err, wsaEADDRINUSE) || errors.Is(err, wsaEACCES))
}

// Refused reports whether err says that nothing listens there: the machine is up and the process is gone. A connection that
// was made and then reset is not refused.
func Refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || runtime.GOOS == "windows" && errors.Is(err, wsaECONNREFUSED)
}

// Barred reports whether err says that there is no way to the machine, or that this one may not send there: no route, no answer to who has the address, or a firewall that says no.
func Barred(err error) bool {
	return errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) ||
		runtime.GOOS == "windows" && (errors.Is(err, wsaEACCES) || errors.Is(err, wsaENETUNREACH) || errors.Is(err, wsaEHOSTUNREACH))
}
