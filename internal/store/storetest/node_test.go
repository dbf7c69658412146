package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/node"
)

func TestAnswers(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		claim := node.Answer{Key: "digest", Body: [32]byte{1, 2}, At: t0}
		full := claim
		full.Status, full.Reply, full.Target = 201, []byte("sealed"), "key_x"
		wantKind(t, "StoreAnswer without a claim", st.StoreAnswer(ctx, full), fault.Conflict)
		if there, err := st.ClaimAnswer(ctx, claim); there != nil || err != nil {
			t.Errorf("ClaimAnswer = %+v, %v, want the claim", there, err)
		}
		if there, err := st.ClaimAnswer(ctx, claim); err != nil || !cmp.Equal(&claim, there) {
			t.Errorf("ClaimAnswer again = %+v, %v, want the empty answer", there, err)
		}
		must(t, st.DropAnswer(ctx, claim.Key))
		if there, err := st.ClaimAnswer(ctx, claim); there != nil || err != nil {
			t.Errorf("ClaimAnswer after it was dropped = %+v, %v, want the claim", there, err)
		}
		must(t, st.StoreAnswer(ctx, full))
		wantKind(t, "StoreAnswer twice", st.StoreAnswer(ctx, full), fault.Conflict)
		must(t, st.DropAnswer(ctx, claim.Key))
		must(t, st.ForgetReplies(ctx, t0))
		if there, err := st.ClaimAnswer(ctx, claim); err != nil || !cmp.Equal(&full, there) {
			t.Errorf("ClaimAnswer of what was answered = %+v, %v, want the answer, which nobody can drop", there, err)
		}
		must(t, st.ForgetReplies(ctx, t0.Add(time.Microsecond)))
		full.Reply = nil
		if there, err := st.ClaimAnswer(ctx, claim); err != nil || !cmp.Equal(&full, there) {
			t.Errorf("ClaimAnswer after its reply was forgotten = %+v, %v, want the answer without", there, err)
		}
	})
}

func TestKeyring(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		got, err := st.Keyring(ctx)
		if diff := cmp.Diff(keyring.State{}, got); err != nil || diff != "" {
			t.Errorf("Keyring of an empty database: %v, -want +got:\n%s", err, diff)
		}
		row := func(purpose keyring.Purpose, version int, state keyring.RowState) keyring.Row {
			return keyring.Row{Purpose: purpose, Version: version, MasterVersion: 3, Wrapped: []byte{0, byte(version), 255}, CreatedAt: t0.Add(time.Microsecond), State: state}
		}
		first := keyring.State{Revision: 1, MasterVersion: 3, Check: []byte{0, 1, 254}, Rows: []keyring.Row{row(keyring.Pepper, 1, keyring.Current)}}
		next := keyring.State{Revision: 2, MasterVersion: 3, Check: []byte{9}, Rows: []keyring.Row{
			row(keyring.AtRest, 1, keyring.Current), row(keyring.Pepper, 1, keyring.Retiring), row(keyring.Pepper, 2, keyring.Current),
		}}
		for i, step := range []struct {
			state keyring.State
			want  bool
		}{{next, false}, {first, true}, {first, false}, {next, true}, {next, false}} {
			if won, err := st.ReplaceKeyring(ctx, step.state); won != step.want || err != nil {
				t.Errorf("ReplaceKeyring, time %d, with revision %d = %t, %v, want %t", i, step.state.Revision, won, err, step.want)
			}
		}
		got, err = st.Keyring(ctx)
		if diff := cmp.Diff(next, got); err != nil || diff != "" {
			t.Errorf("Keyring: %v, -want +got:\n%s", err, diff)
		}
		// A row that cannot be stored takes nothing away.
		twice := next
		twice.Revision, twice.Rows = 3, []keyring.Row{row(keyring.Pepper, 1, keyring.Current), row(keyring.Pepper, 1, keyring.Current)}
		won, err := st.ReplaceKeyring(ctx, twice)
		if won {
			t.Error("ReplaceKeyring with a version twice = true")
		}
		wantKind(t, "ReplaceKeyring with a version twice", err, fault.Conflict)
		got, err = st.Keyring(ctx)
		if diff := cmp.Diff(next, got); err != nil || diff != "" {
			t.Errorf("Keyring after a refusal: %v, -want +got:\n%s", err, diff)
		}
	})
}
