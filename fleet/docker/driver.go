package docker

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"decnet/fleet"
)

// Options are what a driver is made of. Fields without a note are mandatory.
type Options struct {
	// Host is the address of the engine, such as unix:///var/run/docker.sock.
	Host string
	// Fleet tells the containers of this installation from those of others: a
	// word that stays the same through restarts.
	Fleet string
	// Dir is where each decky has a directory that its container writes to; an
	// absolute path that means the same to the engine.
	Dir string
	// Binary is this program, linked statically for Linux.
	Binary string
	// Compose is the compose file that is written for people; "" means none.
	Compose string
	// Network is macvlan, ipvlan or bridge; "" leaves it to the fleet.
	Network string
	// User is "uid:gid" of the containers; "" means those of this process.
	User string
	// Log is nowhere when nil.
	Log *slog.Logger
}

func (o *Options) setDefaults() error {
	var faults []error
	for name, value := range map[string]string{"Fleet": o.Fleet, "Binary": o.Binary} {
		if value == "" {
			faults = append(faults, fmt.Errorf("docker.Options.%s is missing", name))
		}
	}
	if !filepath.IsAbs(o.Dir) {
		faults = append(faults, errors.New("docker.Options.Dir is no absolute path"))
	}
	if o.User == "" {
		o.User = strconv.Itoa(os.Getuid()) + ":" + strconv.Itoa(os.Getgid())
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return errors.Join(faults...)
}

// Driver runs decoys as containers. It implements [fleet.Driver] and
// [fleet.ConfigDriver].
type Driver struct {
	o      Options
	engine *engine
	// image is what containers are made of, once it is known to be there.
	image string
	// applying is held by the Apply or Close that is under way.
	applying chan struct{}

	stop   context.CancelFunc
	polled chan struct{}

	// mu guards what follows.
	mu       sync.Mutex
	machines []*machine
	statuses []fleet.Status
	closed   bool
}

var _ fleet.ConfigDriver = (*Driver)(nil)

// New makes a driver. It asks the engine nothing yet.
func New(o Options) (*Driver, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	e, err := newEngine(o.Host)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	d := &Driver{o: o, engine: e, applying: make(chan struct{}, 1), stop: stop, polled: make(chan struct{})}
	go d.poll(ctx)
	return d, nil
}

// Ping asks whether the engine answers.
func (d *Driver) Ping(ctx context.Context) error { return d.engine.ping(ctx) }

// Journals is a pattern for the files of events, one a decky, in the format of
// the DECNET collector.
func (d *Driver) Journals() string { return filepath.Join(d.o.Dir, "*", "events.jsonl") }

// dirOf is a decky's directory.
func (d *Driver) dirOf(decky string) string {
	return filepath.Join(d.o.Dir, "d-"+url.PathEscape(decky))
}

// ensureImage makes the image unless the engine has it: this program and nothing
// else. Its tag is a hash of the program.
func (d *Driver) ensureImage(ctx context.Context) (string, error) {
	if d.image != "" {
		return d.image, nil
	}
	const repo = "decnet-decoy"
	file, err := os.Open(d.o.Binary)
	if err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	if err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	tag := hex.EncodeToString(sum.Sum(nil))[:12]
	image := repo + ":" + tag
	err = d.engine.call(ctx, http.MethodGet, "/images/"+image+"/json", nil, nil, nil)
	if isStatus(err, http.StatusNotFound) {
		if _, err = file.Seek(0, io.SeekStart); err != nil {
			return "", fmt.Errorf("read this program: %w", err)
		}
		d.o.Log.InfoContext(ctx, "making the image of the decoys", slog.String("image", image))
		archive := archiveOf(file, size)
		err = d.engine.importImage(ctx, repo, tag, []string{`ENTRYPOINT ["/decnet"]`, "LABEL " + labelFleet + "=image"}, archive)
		_ = archive.Close() // ends the writer when the engine did not read to the end
	}
	if err != nil {
		return "", fmt.Errorf("the image of the decoys: %w", err)
	}
	d.image = image
	return image, nil
}

// archiveOf is a tar archive with the program as /decnet.
func archiveOf(program io.Reader, size int64) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		t := tar.NewWriter(w)
		err := t.WriteHeader(&tar.Header{Name: "decnet", Mode: 0o555, Size: size, Typeflag: tar.TypeReg})
		if err == nil {
			_, err = io.Copy(t, io.LimitReader(program, size))
		}
		w.CloseWithError(errors.Join(err, t.Close()))
	}()
	return r
}

// Status implements [fleet.Driver]. Containers are looked at every few seconds.
func (d *Driver) Status() []fleet.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]fleet.Status(nil), d.statuses...)
}

// Close implements [fleet.Driver]: the containers are stopped and removed.
func (d *Driver) Close(ctx context.Context) error {
	if err := d.acquire(ctx); err != nil {
		return err
	}
	defer d.release()
	d.mu.Lock()
	was := d.closed
	d.closed = true
	d.mu.Unlock()
	if was {
		return nil
	}
	d.stop()
	<-d.polled
	defer d.engine.close()
	there, err := d.list(ctx)
	if err != nil {
		return err
	}
	return d.removeAll(ctx, there)
}

func (d *Driver) acquire(ctx context.Context) error {
	select {
	case d.applying <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the change before: %w", ctx.Err())
	}
}

func (d *Driver) release() { <-d.applying }
