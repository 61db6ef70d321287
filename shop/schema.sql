CREATE TABLE IF NOT EXISTS products (
    sku         text PRIMARY KEY,
    name        text NOT NULL,
    category    text NOT NULL,
    description text NOT NULL,
    price_cents integer NOT NULL CHECK (price_cents > 0),
    stock       integer NOT NULL CHECK (stock >= 0)
) WITH (fillfactor = 50);  -- room for the stock updates of every order

CREATE INDEX IF NOT EXISTS products_by_category ON products (category, sku);

CREATE TABLE IF NOT EXISTS orders (
    order_id    uuid PRIMARY KEY,
    user_id     text NOT NULL,
    user_tier   text NOT NULL,
    items       jsonb NOT NULL,
    subtotal_cents integer NOT NULL,
    total_cents integer,
    charge_id   text,
    status      text NOT NULL CHECK (status IN ('reserved', 'paid', 'cancelled')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    paid_at     timestamptz
);

CREATE TABLE IF NOT EXISTS shipments (
    order_id    uuid PRIMARY KEY,
    tracking_id text NOT NULL,
    shipped_at  timestamptz NOT NULL DEFAULT now()
);
