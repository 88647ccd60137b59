// Package load drives one chat server in another process: senders publish, receivers count. One call is one run in one mode, and one JSON object with what was seen.
//
// The window: the senders together may be so many messages ahead of the slowest receiver, and where the server acknowledges what is on its disk, of the acknowledgements too.
// No progress for a second: what is missing counts as lost. Deliveries are counted at the receivers alone.
//
// A delay begins when a message that was made before is written, and ends when the system has it for the receiver: it would otherwise wait for the one goroutine that reads for all receivers,
// which takes as long for each as a server does.
//
// A receiver reads, splits what it read into messages, and counts them. It verifies nothing, of no server: what is measured is the server, and the generator has one core.
// Everything else that an earshot client does it does: TLS 1.3 with its own certificate, admission, HELLO, STATE, the walk over what it lacks, an answer to each BEAT, with what of
// its own is not acknowledged. What the senders say is chained and signed, as the server will verify.
//
// Goroutines: all connections are read by the goroutine that called Run (poller); while clients join, some others dial. All sockets go to the address given and end with the process.
package load
