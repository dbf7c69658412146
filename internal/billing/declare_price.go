package billing

import (
	"fmt"

	"github.com/lanyard-auth/lanyard"
)

// price reads one price. What belongs to another model is refused: it would say something that does not hold.
func (r *reading) price(field string, p lanyard.Price) Price {
	out := Price{
		Meter: Meter(p.Meter), Model: Model(p.Model), Included: p.Included,
		Minimum: r.amount(field+".minimum", p.Minimum), Cap: r.bound(field+".cap", p.Cap),
	}
	if p.Included < 0 || p.Included > MaxUnits {
		r.refuse(field+".included", "must be between 0 and %d", MaxUnits)
	}
	if out.Cap > 0 && out.Cap < out.Minimum {
		r.refuse(field+".cap", "is less than the price's minimum, %s", out.Minimum)
	}
	if out.Model == "" {
		out.Model = PerUnit
	}
	switch out.Model {
	case PerUnit:
		out.PerUnit = r.needed(field+".per_unit", p.PerUnit)
	case Graduated, Volume:
		out.Tiers = r.tiers(field+".tiers", p.Tiers)
	case Packages:
		out.Package = r.pack(field+".package", p.Package)
	default:
		r.refuse(field+".model", "must be per_unit, graduated, volume or package, not %.40q", p.Model)
	}
	for _, part := range []struct {
		name    string
		there   bool
		belongs bool
	}{
		{"per_unit", p.PerUnit != "", out.Model == PerUnit},
		{"tiers", len(p.Tiers) > 0, out.Model == Graduated || out.Model == Volume},
		{"package", p.Package != nil, out.Model == Packages},
	} {
		if part.there && !part.belongs {
			r.refuse(field+"."+part.name, "does not belong to the model %s", out.Model)
		}
	}
	return out
}

func (r *reading) tiers(field string, declared []lanyard.Tier) []Tier {
	if len(declared) == 0 || len(declared) > maxTiers {
		r.refuse(field, "must be 1 to %d tiers", maxTiers)
	}
	var tiers []Tier
	below := int64(0)
	for i, t := range declared {
		here := fmt.Sprintf("%s[%d]", field, i)
		switch last := i == len(declared)-1; {
		case last && t.UpTo != 0:
			r.refuse(here+".up_to", "the last tier has no end: leave it away")
		case !last && (t.UpTo <= below || t.UpTo > MaxUnits):
			r.refuse(here+".up_to", "must be more than that of the tier before, %d, and at most %d", below, MaxUnits)
		case t.PerUnit == "" && t.Flat == "":
			r.refuse(here+".per_unit", "a tier needs per_unit or flat; a free one has per_unit: 0")
		}
		tiers = append(tiers, Tier{t.UpTo, r.amount(here+".per_unit", t.PerUnit), r.amount(here+".flat", t.Flat)})
		below = t.UpTo
	}
	return tiers
}

func (r *reading) pack(field string, p *lanyard.Package) Package {
	if p == nil {
		r.refuse(field, "is missing: want a size and a price")
		return Package{}
	}
	if p.Size < 1 || p.Size > MaxUnits {
		r.refuse(field+".size", "must be between 1 and %d", MaxUnits)
	}
	return Package{p.Size, r.needed(field+".price", p.Price)}
}
