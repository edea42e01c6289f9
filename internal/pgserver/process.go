package pgserver

import (
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// stopTimeout bounds a shutdown before it is made an immediate one; the next start
// then recovers from the write-ahead log.
const stopTimeout = 30 * time.Second

// process is a started postmaster.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; read after done
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) stop(sig syscall.Signal) error {
	for _, sig := range []syscall.Signal{sig, syscall.SIGQUIT, syscall.SIGKILL} {
		// An error here means that it has ended already, which is what we want.
		_ = p.cmd.Process.Signal(sig)
		select {
		case <-p.done:
			return nil
		case <-time.After(stopTimeout):
		}
	}
	return fmt.Errorf("PostgreSQL (process %d) does not end", p.cmd.Process.Pid)
}

// watchers keeps every watcher reachable until it is dismissed: the finalizer of its
// pipe would close our end, and the server would end with a caller's forgotten value.
var watchers sync.Map

// watcher is a shell that waits for the end of our process: when the kernel closes
// our end of its standard input, it ends the server that it was last told of and
// removes the throw-away directory. It is all that is left to act after a SIGKILL,
// and it needs nothing of Linux that a Mac lacks.
type watcher struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

// The pid arrives as a line; an empty line takes it back. SIGINT is PostgreSQL's
// fast shutdown, SIGQUIT the immediate one, good enough for what gets removed.
const watcherScript = `
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
	if [ -n "$1" ]; then kill -QUIT "$pid"; else kill -INT "$pid"; fi
	n=0
	while kill -0 "$pid" && [ "$n" -lt 300 ]; do n=$((n+1)); sleep 0.1; done
fi 2>/dev/null
if [ -n "$1" ]; then rm -rf -- "$1"; fi
`

// watch starts a watcher. removeDir is what to remove in the end; empty keeps everything.
func watch(removeDir string) (*watcher, error) {
	cmd := exec.Command("/bin/sh", "-c", watcherScript, "handover-postgres-watcher", removeDir) //nolint:gosec,noctx // it must outlive every context
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the watcher: %w", err)
	}
	w := &watcher{cmd: cmd, in: in}
	watchers.Store(w, nil)
	return w, nil
}

// tell names the process to end with us; 0 means none.
func (w *watcher) tell(pid int) error {
	line := "\n"
	if pid != 0 {
		line = strconv.Itoa(pid) + "\n"
	}
	_, err := io.WriteString(w.in, line)
	return err
}

// dismiss ends the watcher after the server has ended.
func (w *watcher) dismiss() {
	watchers.Delete(w)
	// A watcher that died earlier can neither hear this nor do harm.
	_ = w.tell(0)
	_ = w.in.Close()
	_ = w.cmd.Wait()
}
