-- The stock and the purchases of the Postgres rivals.
CREATE TABLE zones (
  id text PRIMARY KEY,
  capacity int NOT NULL,
  sold int NOT NULL DEFAULT 0,
  CHECK (sold BETWEEN 0 AND capacity)
) WITH (fillfactor = 50);
CREATE TABLE purchases (
  id uuid PRIMARY KEY,
  zone text NOT NULL,
  buyer text NOT NULL,
  quantity int NOT NULL,
  accepted boolean NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);

-- Decides many purchases in one transaction, those of a zone in the order given. Every outcome is kept;
-- a repeated id gets its first answer.
CREATE FUNCTION sell_many(ids uuid[], zone_ids text[], buyers text[], quantities int[])
RETURNS boolean[] LANGUAGE plpgsql AS $$
DECLARE
  outcome boolean[] := array_fill(false, ARRAY[cardinality(ids)]);
  p record;
  current text := '';
  available int;
  sold_now int := 0;
  earlier boolean;
BEGIN
  -- In order of their ids: no deadlock.
  PERFORM FROM zones WHERE id = ANY (zone_ids) ORDER BY id FOR UPDATE;
  FOR p IN SELECT i, z FROM unnest(zone_ids) WITH ORDINALITY AS u (z, i) ORDER BY z, i LOOP
    IF p.z <> current THEN
      IF sold_now > 0 THEN UPDATE zones SET sold = sold + sold_now WHERE id = current; END IF;
      current := p.z;
      sold_now := 0;
      SELECT capacity - sold INTO available FROM zones WHERE id = p.z;
      CONTINUE WHEN NOT FOUND;
    END IF;
    INSERT INTO purchases (id, zone, buyer, quantity, accepted)
      VALUES (ids[p.i], p.z, buyers[p.i], quantities[p.i], quantities[p.i] <= available)
      ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      SELECT accepted INTO earlier FROM purchases WHERE id = ids[p.i];
      outcome[p.i] := earlier;
    ELSIF quantities[p.i] <= available THEN
      outcome[p.i] := true;
      available := available - quantities[p.i];
      sold_now := sold_now + quantities[p.i];
    END IF;
  END LOOP;
  IF sold_now > 0 THEN UPDATE zones SET sold = sold + sold_now WHERE id = current; END IF;
  RETURN outcome;
END $$;
