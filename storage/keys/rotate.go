package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/durable"
)

// retiredDir holds master keys that were replaced and under which something may
// still be wrapped: a rotation that is under way. It is empty at all other times.
const retiredDir = "retired"

// ring is the keys of one use: the present one first, then those that a rotation
// under way has not replaced everywhere.
type ring []secret

func (r ring) seal(domain, what string, plain []byte) []byte { return r[0].seal(domain, what, plain) }

// open unwraps with the key that the box names.
func (r ring) open(domain, what string, box []byte) ([]byte, error) {
	if len(box) >= boxSize && box[0] == boxVersion {
		for _, k := range r {
			if bytes.Equal(box[1:1+keyIDSize], k.id()) {
				return k.open(domain, what, box)
			}
		}
	}
	return r[0].open(domain, what, box)
}

// present reports whether the box is wrapped under the present key.
func (r ring) present(box []byte) bool {
	return len(box) >= boxSize && bytes.Equal(box[1:1+keyIDSize], r[0].id())
}

// retired reads the master keys of a rotation under way.
func (l *Local) retired() ([]secret, error) {
	entries, err := fs.ReadDir(l.root.FS(), retiredDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []secret
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), keySuffix) {
			continue
		}
		text, err := readPrivate(l.root, path.Join(retiredDir, e.Name()))
		if err != nil {
			return nil, err
		}
		master, err := decodeMaster(text)
		if err != nil {
			return nil, err
		}
		out = append(out, master)
	}
	return out, nil
}

func retiredFile(master secret) string {
	return path.Join(retiredDir, fmt.Sprintf("%x", master.id())+keySuffix)
}

// Rotate puts a new master key in the place of the present one and wraps every
// erasable key anew. Objects, and the wrapped data keys in the database, stay as
// they are: they hang on the erasable keys. Until [Local.FinishRotation] the old
// master is kept, so that what else is wrapped can be opened and wrapped anew with
// [Local.Rewrap]. A rotation that broke off is taken up again. Nothing else may
// have the key store open. It returns the ids of the old and the new master.
func (l *Local) Rotate(context.Context) (from, to string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fail := func(err error) (string, string, error) {
		return "", "", fmt.Errorf("rotating the master key: %w", err)
	}
	text, err := readPrivate(l.root, masterFile)
	if err != nil {
		return fail(missing(err, masterFile))
	}
	present, err := decodeMaster(text)
	if err != nil {
		return fail(err)
	}
	older, err := l.retired()
	if err != nil {
		return fail(err)
	}
	switched := len(older) > 0 && older[0] != present // a crash may have kept the copy and not switched yet
	old := present
	if switched {
		old = older[0]
	} else {
		if err := durable.MkdirAll(l.root, retiredDir); err != nil {
			return fail(err)
		}
		if err := durable.Create(l.root, retiredFile(present), 0o600, encodeMaster(present)); err != nil && !errors.Is(err, fs.ErrExist) {
			return fail(err)
		}
		present = newSecret()
		if err := durable.Replace(l.root, masterFile, 0o600, encodeMaster(present)); err != nil {
			return fail(err)
		}
	}
	l.use(present, []secret{old})
	if err := l.rewrapErasable(); err != nil {
		return fail(err)
	}
	return fmt.Sprintf("%x", old.id()), fmt.Sprintf("%x", present.id()), nil
}

// use derives the keys of the present master and of older ones.
func (l *Local) use(master secret, older []secret) {
	l.wrap, l.erasable = nil, nil
	for _, m := range append([]secret{master}, older...) {
		l.wrap = append(l.wrap, m.derive(domainWrap))
		l.erasable = append(l.erasable, m.derive(domainErasable))
	}
}

// rewrapErasable wraps each erasable key anew that an older master wraps. A key
// that is not to be opened is an error: then the old master must stay.
func (l *Local) rewrapErasable() error {
	entries, err := fs.ReadDir(l.root.FS(), erasableDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), keySuffix)
		if !ok {
			continue
		}
		name := path.Join(erasableDir, e.Name())
		box, err := readPrivate(l.root, name)
		if err != nil {
			return err
		}
		if l.erasable.present(box) {
			continue
		}
		raw, err := l.erasable.open(domainErasable, id, box)
		if err != nil {
			return fmt.Errorf("the erasable key of recording %s: %w", id, err)
		}
		if err := durable.Replace(l.root, name, 0o600, l.erasable.seal(domainErasable, id, raw)); err != nil {
			return err
		}
	}
	return nil
}

// Rewrap returns a box of [Local.Wrap] under the present master key: the same box
// if it is that already.
func (l *Local) Rewrap(purpose string, box []byte) ([]byte, error) {
	if l.wrap.present(box) {
		return box, nil
	}
	plain, err := l.wrap.open(domainWrap, purpose, box)
	if err != nil {
		return nil, fmt.Errorf("wrapping anew for %s: %w", purpose, err)
	}
	return l.wrap.seal(domainWrap, purpose, plain), nil
}

// FinishRotation destroys the old master keys. Call it once everything that was
// wrapped is wrapped anew: what is not is lost. Erasable keys are looked at again.
func (l *Local) FinishRotation(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.rewrapErasable(); err != nil {
		return fmt.Errorf("finishing the rotation of the master key: %w", err)
	}
	older, err := l.retired()
	if err != nil {
		return fmt.Errorf("finishing the rotation of the master key: %w", err)
	}
	for _, master := range older {
		if bytes.Equal(master.derive(domainWrap).id(), l.wrap[0].id()) {
			return fmt.Errorf("finishing the rotation of the master key: %w: the present master key is among the old ones; rotate first", evidence.ErrConflict)
		}
		if err := durable.Destroy(l.root, retiredFile(master)); err != nil {
			return fmt.Errorf("finishing the rotation of the master key: %w", err)
		}
	}
	l.wrap, l.erasable = l.wrap[:1], l.erasable[:1]
	return nil
}
