package manage

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/signin"
)

// Bounds of leak reports.
const (
	maxFound          = 100 // credentials that are looked at in one report
	reportsPerNetwork = 60  // within an hour
	maxChecked        = 200 // ids in one question
	maxOwnLeaks       = 200
	leakReason        = "leaked: found where it does not belong"
)

func leakReportLimit() ratelimit.Limit {
	return ratelimit.Limit{Name: "leak_report", N: reportsPerNetwork, Window: time.Hour}
}

// ReportLeak looks for credentials of this server in a text, and ends those that work, or tells their owners, as the policy for their
// kind says. Everything is written down when it returns. What fails of one credential keeps no other alive, and a mail that cannot be
// written keeps none. It tells nobody what it found: who reports may be anybody.
func (s *Service) ReportLeak(ctx context.Context, from netip.Addr, text, place string) error {
	if !s.spend(s.now(), leakReportLimit(), signin.Network(from)) {
		return fault.New(fault.TooMany, "too many reports came from your network; try again in an hour")
	}
	var found []string
	secret.Find(text, func(credential string, _ secret.Credential) bool {
		if !slices.Contains(found, credential) {
			found = append(found, credential)
		}
		return len(found) < maxFound
	})
	place = leak.CleanPlace(place)
	var failed []error
	for _, credential := range found {
		_, err := s.reportOne(ctx, credential, place, leak.Public)
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// reportOne does what a report of one credential leads to, if it is one of this server's, and says whether it is or was one.
func (s *Service) reportOne(ctx context.Context, credential, place string, source leak.Source) (issued bool, err error) {
	c, err := secret.Parse(credential)
	if err != nil || !leak.Reported(c.Kind) {
		return false, nil //nolint:nilerr // it is nothing of ours
	}
	l := &leak.Leak{ID: id.New[id.Leak](), Key: id.Of[id.Key](c.ID), Kind: c.Kind, Place: place, Source: source, FoundAt: s.now()}
	if c.Kind == secret.Personal {
		return s.reportToken(ctx, credential, l)
	}
	k, err := s.KeyLeaks.KeyForDecision(ctx, l.Key)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	l.Version = s.versionOf(k, credential)
	if l.Version == 0 || k.Kind != c.Kind {
		return false, nil
	}
	if !k.DeletedAt.IsZero() {
		return true, nil
	}
	l.Team, l.Name = k.Team, k.Name
	report := s.leakReport(l)
	var unwritten error
	report.Mails, unwritten = s.leakMails(ctx, l, report.Rule)
	_, _, err = s.KeyLeaks.LeakOfKey(ctx, l, report)
	if fault.Is(err, fault.NotFound) { // deleted, itself or with its app
		err = nil
	}
	return true, errors.Join(err, unwritten)
}

// versionOf is the secret of a key that a credential is; 0: none of them.
func (s *Service) versionOf(k *key.Key, credential string) int {
	digests := s.Lookups(credential)
	for i := range k.Versions {
		if slices.ContainsFunc(digests, func(d []byte) bool { return bytes.Equal(d, k.Versions[i].Digest) }) { // MACs: timing tells nothing of the secret
			return k.Versions[i].Number
		}
	}
	return 0
}

func (s *Service) reportToken(ctx context.Context, credential string, l *leak.Leak) (issued bool, err error) {
	p, err := s.PersonalStore.PersonalForDecision(ctx, l.Key)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !slices.ContainsFunc(s.Lookups(credential), func(d []byte) bool { return bytes.Equal(d, p.Digest) }) {
		return false, nil
	}
	l.User, l.Name = p.User, p.Name
	report := s.leakReport(l)
	var unwritten error
	report.Mails, unwritten = s.leakMail(ctx, l, report.Rule)
	_, _, err = s.KeyLeaks.LeakOfToken(ctx, l, report)
	if fault.Is(err, fault.NotFound) { // deleted meanwhile
		err = nil
	}
	return true, errors.Join(err, unwritten)
}

// leakMail tells whose personal token leaked.
func (s *Service) leakMail(ctx context.Context, l *leak.Leak, rule leak.Rule) ([]leak.Mail, error) {
	u, err := s.UserStore.User(ctx, l.User)
	if err != nil || s.Letters == nil || !u.DisabledAt.IsZero() {
		return nil, err
	}
	letter, err := s.Letters("leak", u.Email, u.Name, s.PublicURL+"/account/tokens", leakWords(l, rule))
	if err != nil || letter == nil {
		return nil, err
	}
	return []leak.Mail{{ID: letter.ID, Sealed: letter.Sealed}}, nil
}

// leakReport are the rule for a leak and its events. Its reporter is nobody: the actor is the report.
func (s *Service) leakReport(l *leak.Leak) leak.Report {
	report := leak.Report{Rule: s.LeakRules.Of(l.Kind), Reason: leakReason, Revoked: leakRevoked(l, l.FoundAt)}
	report.Leaked = leakReporter().New(l.FoundAt, leakAct(l)+".leak", string(l.Key), l.Team, said(details{
		"name": l.Name, "kind": string(l.Kind), "place": l.Place, "source": string(l.Source),
	}))
	if l.Version > 1 {
		report.Leaked.Details["version"] = strconv.Itoa(l.Version)
	}
	return report
}

func leakReporter() audit.Actor { return audit.Actor{Label: "leak report"} }

func leakAct(l *leak.Leak) string {
	if l.Kind == secret.Personal {
		return "token"
	}
	return "key"
}

// leakRevoked is the event that what leaked was ended.
func leakRevoked(l *leak.Leak, at time.Time) audit.Event {
	return leakReporter().New(at, leakAct(l)+".revoke", string(l.Key), l.Team, details{"reason": leakReason})
}

func leakWords(l *leak.Leak, rule leak.Rule) map[string]string {
	words := map[string]string{"name": l.Name, "place": l.Place, "policy": string(rule.Policy), "kind": string(l.Kind)}
	if due := rule.Due(l.FoundAt); !due.IsZero() {
		words["until"] = when(due)
	}
	return words
}

func (s *Service) leakMails(ctx context.Context, l *leak.Leak, rule leak.Rule) (all []leak.Mail, err error) {
	mails, err := s.toOwners(ctx, l.Team, "leak", "/leaks", leakWords(l, rule))
	for _, m := range mails {
		all = append(all, leak.Mail{ID: m.ID, Sealed: m.Sealed})
	}
	return all, err
}

// CheckLeaks says of ids of keys, client secrets and personal tokens whether they work: live, dead, or unknown where they are out of
// reach. Personal tokens are their user's: within reach of that person, and of who has the whole server's. It needs lanyard.leaks.read.
func (s *Service) CheckLeaks(ctx context.Context, actor audit.Actor, ids []string) ([]lanyard.LeakCheck, error) {
	reach, err := s.may(actor, leaksRead)
	if err != nil {
		return nil, err
	}
	if err := checkCount("ids", len(ids), maxChecked); err != nil {
		return nil, err
	}
	all := make([]lanyard.LeakCheck, 0, len(ids))
	for _, text := range ids {
		one := lanyard.LeakCheck{ID: secret.Redact(text), State: "unknown"}
		if parsed, err := id.Parse[id.Key](text); err == nil {
			status, err := s.statusOf(ctx, actor, reach, parsed)
			switch {
			case err == nil && status == policy.Valid:
				one.State = "live"
			case err == nil:
				one.State = "dead"
			case !fault.Is(err, fault.NotFound):
				return nil, err
			}
		}
		all = append(all, one)
	}
	return all, nil
}

// statusOf says whether a key or a personal token within reach works.
func (s *Service) statusOf(ctx context.Context, actor audit.Actor, reach audit.Reach, keyID id.Key) (policy.Code, error) {
	now := s.now()
	k, err := s.KeyStore.Key(ctx, reach, keyID)
	if err == nil {
		return k.StatusAt(now), nil
	}
	own, notOwn := s.mayOwn(actor, leaksRead)
	if !fault.Is(err, fault.NotFound) || notOwn != nil {
		return "", err
	}
	p, err := s.PersonalStore.Personal(ctx, own, keyID)
	if err != nil {
		return "", err
	}
	standing, err := s.UserStore.UserForDecision(ctx, p.User)
	switch {
	case err != nil:
		return "", err
	case standing.Disabled || standing.Epoch != p.Epoch: // ended with everything of its user's
		return policy.Revoked, nil
	}
	return p.StatusAt(now), nil
}

// Leaks lists the leaks of keys within reach, newest first; teamID narrows the list unless "". It needs lanyard.leaks.read.
func (s *Service) Leaks(ctx context.Context, actor audit.Actor, teamID string, list List) (lanyard.Page[lanyard.Leak], error) {
	none := lanyard.Page[lanyard.Leak]{}
	reach, err := s.may(actor, leaksRead)
	if err != nil {
		return none, err
	}
	filter := leak.Filter{}
	if filter.Team, err = s.teamFilter(ctx, reach, teamID); err != nil {
		return none, err
	}
	return readPage(s, list, lister[*leak.Leak, lanyard.Leak]{
		name: "leaks", filters: []string{teamID},
		fetch: func(before time.Time, beforeID string, limit int) ([]*leak.Leak, error) {
			filter.Before, filter.BeforeID, filter.Limit = before, beforeID, limit
			return s.KeyLeaks.Leaks(ctx, reach, filter)
		},
		place: func(l *leak.Leak) (time.Time, string) { return l.FoundAt, string(l.ID) },
		wire:  wireLeak,
	})
}

// MyLeaks lists the leaks of the asker's personal tokens, newest first, at most 200. It is for a person who is logged in.
func (s *Service) MyLeaks(ctx context.Context, actor audit.Actor) ([]lanyard.Leak, error) {
	if err := mayInPerson(actor); err != nil {
		return nil, err
	}
	found, err := s.KeyLeaks.LeaksOfUser(ctx, actor.User, maxOwnLeaks)
	all := make([]lanyard.Leak, 0, len(found))
	for _, l := range found {
		all = append(all, wireLeak(l))
	}
	return all, err
}

func wireLeak(l *leak.Leak) lanyard.Leak {
	return lanyard.Leak{
		ID: string(l.ID), KeyID: string(l.Key), Version: l.Version, TeamID: string(l.Team), Kind: string(l.Kind), Name: l.Name, Place: l.Place,
		Source: string(l.Source), Outcome: string(l.Outcome), FoundAt: l.FoundAt, DueAt: at(l.DueAt),
	}
}
