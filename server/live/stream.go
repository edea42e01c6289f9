package live

import (
	"fmt"
	"net/http"
	"time"
)

const (
	// heartbeat keeps proxies from cutting a stream on which nothing happens. With it,
	// as with each event, the server looks whether the watcher may still see.
	heartbeat = 10 * time.Second
	// eventWithin is how long a watcher may take to take an event.
	eventWithin = 10 * time.Second
)

// Stream is what is sent to one watcher.
type Stream struct {
	Key   string // what is watched
	Event string // the events' name
	// Known is the ID of what the watcher has seen already; it is not sent again.
	Known string
	// MaySee reports whether the watcher may still see it, before each event.
	MaySee func() bool
	// Stopping ends the stream when it is closed.
	Stopping <-chan struct{}
}

// Send sends what changes until there is nothing more to say, or nobody to say it to.
func (f *Feeds) Send(w http.ResponseWriter, r *http.Request, o Stream) {
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would keep events back
	w.WriteHeader(http.StatusOK)
	latest, stop := f.watch(o.Key)
	defer stop()
	s := sender{w: w, rc: http.NewResponseController(w), within: f.within}
	defer func() { _ = s.rc.SetWriteDeadline(time.Time{}) }() // the connection may be used again
	if !s.send("retry: 2000\n\n") {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-o.Stopping:
			return
		case now := <-latest:
			if now.id != o.Known && (!o.MaySee() || !s.send(fmt.Sprintf("event: %s\nid: %s\ndata: %s\n\n", o.Event, now.id, now.data))) || now.last {
				return
			}
		case <-beat.C:
			if !o.MaySee() || !s.send(": still here\n\n") {
				return
			}
		}
	}
}

// TooMany is the text for somebody who already has as many streams as anybody may.
func TooMany() string { return fmt.Sprintf("nobody watches more than %d things at once", maxStreams) }

// sender writes events at once.
type sender struct {
	w      http.ResponseWriter
	rc     *http.ResponseController
	within time.Duration
}

func (s sender) send(text string) bool {
	_ = s.rc.SetWriteDeadline(time.Now().Add(s.within)) // a connection without deadlines is a test's
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	return s.rc.Flush() == nil
}
