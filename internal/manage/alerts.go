package manage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/outbox"
)

// SpendAlerts are the amounts at which a team is told of its open bill for an API. It needs lanyard.billing.read.
func (s *Service) SpendAlerts(ctx context.Context, actor audit.Actor, teamID, api string) (lanyard.SpendAlerts, error) {
	none := lanyard.SpendAlerts{}
	reach, err := s.may(actor, billingRead)
	if err != nil {
		return none, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return none, err
	}
	if _, err := s.existingAPI(ctx, api); err != nil {
		return none, err
	}
	amounts, err := s.BillingStore.SpendAlerts(ctx, t.ID, api)
	if err != nil {
		return none, err
	}
	return wireAlerts(amounts), nil
}

// SetSpendAlerts replaces them. Each is told once in a period; one that the open bill has passed already, within a minute. It needs
// lanyard.billing.write.
func (s *Service) SetSpendAlerts(ctx context.Context, actor audit.Actor, teamID, api string, in lanyard.SpendAlerts) (lanyard.SpendAlerts, error) {
	none := lanyard.SpendAlerts{}
	reach, err := s.may(actor, billingWrite)
	if err != nil {
		return none, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return none, err
	}
	if _, err := s.existingAPI(ctx, api); err != nil {
		return none, err
	}
	if err := checkCount("amounts", len(in.Amounts), billing.MostSpendAlerts); err != nil {
		return none, err
	}
	var amounts []billing.Micros
	for i, text := range in.Amounts {
		amount, err := billing.ParseAmount(text)
		if err != nil {
			return none, fault.Field(fmt.Sprintf("amounts[%d]", i), "%s", err)
		}
		if amount == 0 {
			return none, fault.Field(fmt.Sprintf("amounts[%d]", i), "must be more than 0")
		}
		amounts = append(amounts, amount)
	}
	slices.Sort(amounts)
	amounts = slices.Compact(amounts)
	out := wireAlerts(amounts)
	ev := actor.New(s.now(), "subscription.alerts", string(t.ID), t.ID, said(details{"api": api, "amounts": orNone(strings.Join(out.Amounts, ", "))}))
	return out, s.BillingStore.SetSpendAlerts(ctx, t.ID, api, amounts, ev)
}

func wireAlerts(amounts []billing.Micros) lanyard.SpendAlerts {
	out := lanyard.SpendAlerts{Amounts: []string{}}
	for _, amount := range amounts {
		out.Amounts = append(out.Amounts, amount.String())
	}
	return out
}

// mailsAtOnce bounds a round of WriteMails.
const mailsAtOnce = 100

// WriteMails writes the mails about alerts that are still to be written: to the owners of the team, or to the person whose tokens it is
// about. It returns how many alerts it looked at.
func (s *Service) WriteMails(ctx context.Context) (int, error) {
	waiting, err := s.Outbox.Unmailed(ctx, mailsAtOnce)
	if err != nil {
		return 0, err
	}
	for _, m := range waiting {
		letters, written := s.alertMails(ctx, m)
		if written != nil {
			err = errors.Join(err, fmt.Errorf("write the mails about %s: %w", m.ID, written))
			continue
		}
		if queued := s.Outbox.Mailed(ctx, m.ID, letters, s.now()); queued != nil {
			return 0, errors.Join(err, queued)
		}
	}
	return len(waiting), err
}

// alertMails are the mails about a message. Who is gone is not written to.
func (s *Service) alertMails(ctx context.Context, m outbox.Message) ([]outbox.Mail, error) {
	var a billing.Alert
	if err := json.Unmarshal([]byte(m.Body), &a); err != nil {
		return nil, fmt.Errorf("read the alert: %w", err)
	}
	words, err := s.alertWords(ctx, a)
	if err != nil {
		return nil, err
	}
	kind, where := "quota_reached", "/usage"
	if m.Kind == outbox.SpendReached {
		kind, where = "spend_reached", "/billing"
	}
	var letters []outbox.Mail
	if a.User == "" {
		letters, err = s.toOwners(ctx, a.Team, kind, where, words)
	} else {
		letters, err = s.toPerson(ctx, a, kind, words)
	}
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return letters, err
}

func (s *Service) toPerson(ctx context.Context, a billing.Alert, kind string, words map[string]string) ([]outbox.Mail, error) {
	u, err := s.UserStore.User(ctx, a.User)
	if err != nil {
		return nil, err
	}
	letter, err := s.letterTo(u, kind, s.PublicURL+"/account/tokens", words)
	if err != nil || letter == nil {
		return nil, err
	}
	return []outbox.Mail{{ID: letter.ID, Sealed: letter.Sealed}}, nil
}

func (s *Service) alertWords(ctx context.Context, a billing.Alert) (map[string]string, error) {
	words := details{
		"api": a.API, "until": a.End.UTC().Format("2 January 2006, 15:04 UTC"), "total": a.Total, "currency": string(a.Currency), "spend_limit": a.SpendLimit, "amount": a.Amount,
	}
	if a.Percent > 0 {
		words["percent"] = strconv.Itoa(a.Percent)
	}
	if a.Limit > 0 {
		words["limit"] = strconv.FormatInt(a.Limit, 10)
	}
	if a.Key != "" {
		k, err := s.KeyStore.Key(ctx, audit.ServerReach(), a.Key)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		if err == nil {
			words["key"] = k.Name
		}
	}
	if a.API != "" {
		if api, err := s.CatalogStore.API(ctx, a.API); err == nil && api.Title != "" {
			words["api"] = api.Title
		}
	}
	return said(words), nil
}
