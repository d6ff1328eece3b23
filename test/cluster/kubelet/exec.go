package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// executor runs commands in a Pod.
type executor struct{ pod *pod }

func (e executor) ExecInContainer(ctx context.Context, _, _, container string, command []string, in io.Reader, out, errOut io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	if !e.pod.begin() {
		return fmt.Errorf("container %q is not running", container)
	}
	defer e.pod.commands.Done()
	if len(command) == 0 {
		return errors.New("the command is empty")
	}
	ctx, cancel := e.pod.whileRuns(ctx)
	defer cancel()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = e.pod.folder
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + e.pod.folder, "HOSTNAME=" + e.pod.name}
	return runCommand(ctx, cmd, in, out, errOut)
}

// runCommand runs the command in a process group of its own. Nothing of the group outlives the command or the context.
func runCommand(ctx context.Context, cmd *exec.Cmd, in io.Reader, out, errOut io.Writer) error {
	// The kernel sends the signal when the thread that started the command ends, so the thread must stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	copies, closeOutputs, err := connect(cmd, in, out, errOut)
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("failed to exec in container: %w", err)
	}
	killGroup := func() { _ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	stop := context.AfterFunc(ctx, func() {
		killGroup()
		// A process that has left the group may hold the outputs open.
		closeOutputs()
	})
	finished := copies()
	waitUnreaped(cmd.Process.Pid)
	// The id of the group belongs to the group until the command is reaped.
	killGroup()
	finished.Wait()
	stop()
	return exitError(cmd.Wait())
}

// connect makes the pipes of the command. The first function starts the copying and returns a group that waits for the
// end of the outputs. The input is not waited for: a client may keep it open longer than the command runs.
func connect(cmd *exec.Cmd, in io.Reader, out, errOut io.Writer) (start func() *sync.WaitGroup, closeOutputs func(), err error) {
	var sources []io.ReadCloser
	var targets []io.Writer
	if out != nil {
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			return nil, nil, err
		}
		sources, targets = append(sources, pipe), append(targets, out)
	}
	if errOut != nil {
		pipe, err := cmd.StderrPipe()
		if err != nil {
			return nil, nil, err
		}
		sources, targets = append(sources, pipe), append(targets, errOut)
	}
	var stdin io.WriteCloser
	if in != nil {
		if stdin, err = cmd.StdinPipe(); err != nil {
			return nil, nil, err
		}
	}
	start = func() *sync.WaitGroup {
		var outputs sync.WaitGroup
		for i, source := range sources {
			outputs.Go(func() { _, _ = io.Copy(targets[i], source) })
		}
		if stdin != nil {
			go func() {
				_, _ = io.Copy(stdin, in)
				_ = stdin.Close()
			}()
		}
		return &outputs
	}
	closeOutputs = func() {
		for _, source := range sources {
			_ = source.Close()
		}
	}
	return start, closeOutputs, nil
}

// waitUnreaped waits until the process has ended, and leaves its id reserved.
func waitUnreaped(pid int) {
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}

// exitError gives the exit code to the streaming library: after a signal, 128 and its number.
func exitError(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	code := exit.ExitCode()
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = 128 + int(status.Signal())
	}
	return utilexec.CodeExitError{Err: fmt.Errorf("exit code %d", code), Code: code}
}
