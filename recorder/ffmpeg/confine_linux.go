package ffmpeg

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// confine prepares a child that dies with its parent and, if isolate, has a
// network, processes and messages of its own, which are empty.
func confine(cmd *exec.Cmd, isolate bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if !isolate {
		return
	}
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 65534, HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 65534, HostID: os.Getgid(), Size: 1}}
}

// limit bounds what a child may take: memory, no byte written to a file, no core,
// few open files. It yields to recording.
func limit(pid int) error {
	for resource, most := range map[int]uint64{
		unix.RLIMIT_AS: maxMemory, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_CORE: 0, unix.RLIMIT_NOFILE: 32,
	} {
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil && err != unix.ESRCH {
			return err
		}
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, pid, 19); err != nil && err != unix.ESRCH {
		return err
	}
	return nil
}
