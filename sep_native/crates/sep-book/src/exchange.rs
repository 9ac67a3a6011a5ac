//! The exchange: accounts, orders under client ids, messages that take time, faults, other people.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{
    account::Accounts,
    book::{Book, Match},
    error::ExchangeError,
    fault::{Fault, FaultKind, Method},
    flow::{Action, Flow},
    genesis::{Genesis, MarketGenesis},
    order::{OrderId, OwnerId, Side, TimeInForce},
    random::Random,
    record::{OrderRecord, OrderStatus, TradeRecord},
};

/// The number of a message that was sent.
pub type Ticket = u64;

/// How many changes of a book are remembered for those who follow it.
const MOST_CHANGES: usize = 1024;

/// How many orders later others' ended ones are forgotten.
const FORGET_EVERY: OrderId = 4096;

/// How the names of orders begin that others sent by themselves.
const FLOW: &str = "flow ";

const OTHERS_HOLD: u128 = 1 << 90;

/// A message that arrived and may have changed something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    pub(crate) at_ms: u64,
    pub(crate) account: String,
    pub(crate) request: Request,
}

/// What a user asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// A new order; not taken in where it arrives after `expires_ms`.
    Submit {
        client_id: String,
        market: String,
        side: Side,
        price: u64,
        size: u64,
        time_in_force: TimeInForce,
        expires_ms: u64,
    },
    /// The end of an order.
    Cancel { client_id: String },
    /// What became of an order.
    Lookup { client_id: String },
    /// The trades of an order.
    Trades { client_id: String },
    /// What the account holds.
    Balances,
    /// The markets.
    Markets,
    /// The whole book, or what changed after a sequence.
    Book { market: String, after: Option<u64> },
}

impl Request {
    fn method(&self) -> Method {
        match self {
            Self::Submit { .. } => Method::Submit,
            Self::Cancel { .. } => Method::Cancel,
            Self::Lookup { .. } => Method::Lookup,
            Self::Trades { .. } => Method::Trades,
            Self::Balances => Method::Balances,
            Self::Markets => Method::Markets,
            Self::Book { .. } => Method::Book,
        }
    }
}

/// A change of one book: from a sequence to the next, and the levels that changed with their lots now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub(crate) previous: u64,
    pub(crate) sequence: u64,
    pub(crate) levels: Vec<(Side, u64, u64)>,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An order, or none of that name.
    Order(Option<OrderRecord>),
    /// Trades of an order.
    Trades(Vec<TradeRecord>),
    /// Balances of an account: asset, free, held.
    Balances(Vec<(String, u128, u128)>),
    /// The markets.
    Markets(Vec<MarketGenesis>),
    /// A whole book: sequence, bids, asks.
    Book(u64, Vec<(u64, u64)>, Vec<(u64, u64)>),
    /// What changed in a book.
    Changes(Vec<Change>),
    /// The exchange does not take the message in, for this reason.
    Refused(String),
    /// No answer comes.
    Lost,
}

#[derive(Clone, Debug)]
struct Market {
    spec: MarketGenesis,
    book: Book,
    changes: VecDeque<Change>,
    flow: Option<Flow>,
    last_action_ms: u64,
}

#[derive(Clone, Debug)]
struct Message {
    ticket: Ticket,
    owner: OwnerId,
    request: Request,
    fault: Option<FaultKind>,
    back_ms: u64,
}

impl Message {
    fn lost(&self) -> bool {
        matches!(
            self.fault,
            Some(FaultKind::Lost { .. } | FaultKind::Late { .. })
        )
    }
}

/// One exchange; a copy goes on exactly as the original would.
#[derive(Clone, Debug)]
pub struct Exchange {
    genesis: Genesis,
    now_ms: u64,
    accounts: Accounts,
    markets: Vec<Market>,
    orders: BTreeMap<OrderId, OrderRecord>,
    next_order: OrderId,
    forget_at: OrderId,
    by_client: BTreeMap<(OwnerId, String), OrderId>,
    trades: Vec<TradeRecord>,
    matches: u64,
    under_way: BTreeMap<(u64, Ticket), Message>,
    replies: BTreeMap<Ticket, (u64, Reply)>,
    tickets: Ticket,
    random: Random,
    others_random: Random,
    arrivals: Vec<Arrival>,
    faults: Vec<Fault>,
    counts: BTreeMap<Method, u64>,
    faulted: u64,
    others: Vec<OrderId>,
    keepers: OwnerId,
    takers: OwnerId,
}

impl Exchange {
    /// An exchange as a genesis says, at a moment of its clock.
    ///
    /// # Errors
    /// `Malformed` for a balance that is no number.
    pub fn new(genesis: Genesis, now_ms: u64) -> Result<Self, ExchangeError> {
        let mut accounts = Accounts::default();
        let (keepers, takers) = (accounts.open("others"), accounts.open("others too"));
        for asset in genesis.assets.keys() {
            for owner in [keepers, takers] {
                accounts.credit(owner, asset, OTHERS_HOLD);
            }
        }
        for (name, balances) in &genesis.accounts {
            let owner = accounts.open(name);
            for (asset, amount) in balances {
                let amount: u128 = amount
                    .parse()
                    .map_err(|_| ExchangeError::Malformed(format!("balance {amount} of {name}")))?;
                if !genesis.assets.contains_key(asset) {
                    return Err(ExchangeError::Unknown(format!("asset {asset}")));
                }
                if amount >= OTHERS_HOLD {
                    return Err(ExchangeError::TooLarge(format!(
                        "balance {amount} of {name}"
                    )));
                }
                accounts.credit(owner, asset, amount);
            }
        }
        let markets = genesis.markets.iter().map(|spec| Market {
            spec: spec.clone(),
            book: Book::new(genesis.self_trade),
            changes: VecDeque::new(),
            flow: genesis.flow.clone().map(|flow| Flow::new(flow, spec.price)),
            last_action_ms: now_ms,
        });
        let mut made = Self {
            now_ms,
            accounts,
            markets: markets.collect(),
            orders: BTreeMap::new(),
            next_order: 0,
            forget_at: FORGET_EVERY,
            by_client: BTreeMap::new(),
            trades: Vec::new(),
            matches: 0,
            under_way: BTreeMap::new(),
            replies: BTreeMap::new(),
            tickets: 0,
            random: Random::new(genesis.seed),
            others_random: Random::new(!genesis.seed),
            arrivals: Vec::new(),
            faults: Vec::new(),
            counts: BTreeMap::new(),
            faulted: 0,
            others: Vec::new(),
            keepers,
            takers,
            genesis,
        };
        made.open_books();
        Ok(made)
    }

    /// The moment of its clock.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Who holds what.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// All orders of accounts that were ever taken in, and those of others that rest.
    pub fn orders(&self) -> impl Iterator<Item = &OrderRecord> {
        self.orders.values()
    }

    /// How many orders there ever were.
    #[must_use]
    pub fn count(&self) -> OrderId {
        self.next_order
    }

    /// An order by its number.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&OrderRecord> {
        self.orders.get(&id)
    }

    /// All trades of accounts, each as its side sees it.
    #[must_use]
    pub fn trades(&self) -> &[TradeRecord] {
        &self.trades
    }

    /// The book of a market.
    #[must_use]
    pub fn book(&self, market: &str) -> Option<&Book> {
        let found = self.markets.iter().find(|one| one.spec.name == market)?;
        Some(&found.book)
    }

    /// How many messages met a fault.
    #[must_use]
    pub fn faulted(&self) -> u64 {
        self.faulted
    }

    /// What goes wrong from now on; messages are counted anew.
    pub fn set_faults(&mut self, faults: Vec<Fault>) {
        self.faults = faults;
        self.counts.clear();
    }

    /// Brings money in (positive) or takes it out.
    ///
    /// # Errors
    /// `Unknown` for an account or an asset, `TooLarge` where there is less.
    pub fn transfer(
        &mut self,
        account: &str,
        asset: &str,
        change: i128,
    ) -> Result<(), ExchangeError> {
        let owner = self.owner(account)?;
        if !self.genesis.assets.contains_key(asset) {
            return Err(ExchangeError::Unknown(format!("asset {asset}")));
        }
        let amount = change.unsigned_abs();
        if change >= 0 {
            self.accounts.credit(owner, asset, amount);
        } else if !self.accounts.debit(owner, asset, amount) {
            return Err(ExchangeError::TooLarge(format!("a withdrawal of {amount}")));
        }
        Ok(())
    }

    /// Somebody else's order, at once: a limit order that takes what it can and rests or not.
    ///
    /// # Errors
    /// `Unknown` for a market.
    pub fn other(
        &mut self,
        market: &str,
        side: Side,
        price: u64,
        size: u64,
        rests: bool,
    ) -> Result<(), ExchangeError> {
        let place = self.place(market)?;
        let time_in_force = if rests {
            TimeInForce::GoodTillCancelled
        } else {
            TimeInForce::ImmediateOrCancel
        };
        let owner = if rests { self.keepers } else { self.takers };
        self.other_order((owner, "told "), place, side, price, size, time_in_force);
        Ok(())
    }

    /// What has arrived and may have changed something, in order; told again it makes the same exchange.
    #[must_use]
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// Lets what arrived at an earlier run of the same exchange arrive again, at its own moment.
    ///
    /// # Errors
    /// `Unknown` for an account.
    pub fn replay(&mut self, arrival: &Arrival) -> Result<(), ExchangeError> {
        let owner = self.owner(&arrival.account)?;
        self.advance(arrival.at_ms);
        self.tickets += 1;
        let message = Message {
            ticket: self.tickets,
            owner,
            request: arrival.request.clone(),
            fault: None,
            back_ms: 0,
        };
        self.note_arrival(&message);
        self.handle(&message);
        Ok(())
    }

    /// Sends a message of an account; its answer comes under the ticket.
    ///
    /// # Errors
    /// `Unknown` for an account.
    pub(crate) fn send(
        &mut self,
        account: &str,
        now_ms: u64,
        request: Request,
    ) -> Result<Ticket, ExchangeError> {
        let owner = self.owner(account)?;
        self.advance(now_ms);
        self.tickets += 1;
        let (low, high) = self.genesis.latency_ms;
        let whole = self.random.between(low, high);
        let (there, ticket) = (whole / 2, self.tickets);
        let message = Message {
            ticket,
            owner,
            fault: self.fault(request.method()),
            back_ms: whole - there,
            request,
        };
        if message.lost() {
            self.replies
                .insert(ticket, (self.now_ms + message.back_ms, Reply::Lost));
        }
        let arrives_ms = match message.fault {
            Some(FaultKind::Lost { taken: false }) => return Ok(ticket),
            Some(FaultKind::Late { by_ms }) => self.now_ms + there + by_ms,
            _ => self.now_ms + there,
        };
        self.under_way.insert((arrives_ms, ticket), message);
        self.advance(now_ms);
        Ok(ticket)
    }

    /// The answer to a message: now, or in how many milliseconds it may be there. An answer is given once.
    pub fn answer(&mut self, ticket: Ticket, now_ms: u64) -> Result<Reply, u64> {
        self.advance(now_ms);
        match self.replies.get(&ticket) {
            Some((at, _)) if *at <= self.now_ms => Ok(self
                .replies
                .remove(&ticket)
                .map_or(Reply::Lost, |(_, reply)| reply)),
            Some((at, _)) => Err(at - self.now_ms),
            None => self.arrival(ticket).map_or(Ok(Reply::Lost), |at| {
                Err(at.saturating_sub(self.now_ms).max(1))
            }),
        }
    }

    /// Moves the clock on: messages arrive, others trade, in the order of their times; at one moment others come first.
    pub fn advance(&mut self, now_ms: u64) {
        let until = now_ms.max(self.now_ms);
        loop {
            let message = self.under_way.keys().next().copied();
            let action = self.next_action();
            let (message_at, action_at) = (message.map(|(at, _)| at), action.map(|(at, _)| at));
            match (message_at, action_at) {
                (Some(at), other) if at <= until && other.is_none_or(|action| at < action) => {
                    self.now_ms = at.max(self.now_ms);
                    if let Some(arrived) = message.and_then(|key| self.under_way.remove(&key)) {
                        self.arrive(&arrived);
                    }
                }
                (_, Some(at)) if at <= until => {
                    self.now_ms = at.max(self.now_ms);
                    if let Some((_, place)) = action {
                        self.act(place);
                    }
                }
                _ => break,
            }
        }
        self.now_ms = until;
    }

    fn next_action(&self) -> Option<(u64, usize)> {
        let every = self.genesis.flow.as_ref()?.every_ms;
        if every == 0 {
            return None;
        }
        self.markets
            .iter()
            .enumerate()
            .map(|(place, market)| (market.last_action_ms + every, place))
            .min()
    }

    fn act(&mut self, place: usize) {
        let every = self.genesis.flow.as_ref().map_or(1, |flow| flow.every_ms);
        let mut random = self.others_random.clone();
        let market = &mut self.markets[place];
        market.last_action_ms += every;
        let Some(flow) = market.flow.as_mut() else {
            return;
        };
        let action = flow.next(&mut random);
        self.others_random = random;
        self.perform(place, &action);
        self.forget_ended();
    }

    fn open_books(&mut self) {
        for place in 0..self.markets.len() {
            let mut random = self.others_random.clone();
            let opening = self.markets[place]
                .flow
                .as_ref()
                .map(|flow| flow.opening(&mut random))
                .unwrap_or_default();
            self.others_random = random;
            for action in &opening {
                self.perform(place, action);
            }
        }
    }

    fn perform(&mut self, place: usize, action: &Action) {
        match *action {
            Action::Add(side, price, size) => {
                self.other_order((self.keepers, FLOW), place, side, price, size, Flow::ADDS);
            }
            Action::Take(side, size) => {
                // At the best price only: who takes does not run through the book.
                if let Some(price) = self.markets[place].book.best(side.other()) {
                    let once = TimeInForce::ImmediateOrCancel;
                    self.other_order((self.takers, FLOW), place, side, price, size, once);
                }
            }
            Action::Cancel(drawn) => {
                let open = u64::try_from(self.others.len()).unwrap_or(u64::MAX);
                if open > 0 {
                    let chosen = usize::try_from(drawn % open).unwrap_or(0);
                    let id = self.others.swap_remove(chosen);
                    self.end(id, "cancelled");
                }
            }
        }
    }

    fn other_order(
        &mut self,
        (owner, prefix): (OwnerId, &str),
        place: usize,
        side: Side,
        price: u64,
        size: u64,
        time_in_force: TimeInForce,
    ) {
        let name = format!("{prefix}{}", self.next_order);
        let id = self.take_in(owner, name, place, side, price, size, time_in_force);
        if self.is_open(id) {
            self.others.push(id);
        }
    }

    fn arrive(&mut self, message: &Message) {
        let ready = self.now_ms + message.back_ms;
        if message.fault != Some(FaultKind::Refused) {
            self.note_arrival(message);
        }
        let mut reply = self.handle(message);
        if message.fault == Some(FaultKind::Doubled) {
            self.note_arrival(message);
            let again = self.handle(message);
            if let (Reply::Trades(first), Reply::Trades(second)) = (&mut reply, again) {
                first.extend(second);
            }
        }
        if !message.lost() {
            self.replies.insert(message.ticket, (ready, reply));
        }
    }

    fn note_arrival(&mut self, message: &Message) {
        if matches!(
            message.request,
            Request::Submit { .. } | Request::Cancel { .. }
        ) {
            self.arrivals.push(Arrival {
                at_ms: self.now_ms,
                account: self.accounts.name(message.owner).to_owned(),
                request: message.request.clone(),
            });
        }
    }

    fn handle(&mut self, message: &Message) -> Reply {
        let hidden = message.fault == Some(FaultKind::Hidden);
        if message.fault == Some(FaultKind::Refused) {
            return Reply::Refused("the exchange is too busy".into());
        }
        match &message.request {
            Request::Submit {
                client_id,
                market,
                side,
                price,
                size,
                time_in_force,
                expires_ms,
            } => {
                if self.now_ms > *expires_ms {
                    return Reply::Refused("it arrived after its expiry".into());
                }
                let Ok(place) = self.place(market) else {
                    return Reply::Refused(format!("there is no market {market}"));
                };
                if let Some(known) = self.known(message.owner, client_id) {
                    return Reply::Refused(format!(
                        "the client order id {client_id} is in use by order {known}"
                    ));
                }
                let name = client_id.clone();
                let id = self.take_in(
                    message.owner,
                    name,
                    place,
                    *side,
                    *price,
                    *size,
                    *time_in_force,
                );
                let Some(record) = self.orders.get(&id) else {
                    return Reply::Order(None);
                };
                if record.status == OrderStatus::Rejected {
                    return Reply::Refused(record.reason.clone());
                }
                Reply::Order(Some(record.clone()))
            }
            Request::Cancel { client_id } => {
                let found = self
                    .by_client
                    .get(&(message.owner, client_id.clone()))
                    .copied();
                if let Some(id) = found {
                    self.end(id, "cancelled on request");
                }
                Reply::Order(found.and_then(|id| self.orders.get(&id).cloned()))
            }
            Request::Lookup { client_id } => {
                let found = self.by_client.get(&(message.owner, client_id.clone()));
                let found = found.filter(|_| !hidden);
                Reply::Order(found.and_then(|id| self.orders.get(id).cloned()))
            }
            Request::Trades { client_id } => {
                let found = self.by_client.get(&(message.owner, client_id.clone()));
                let mut places = found
                    .and_then(|id| self.orders.get(id))
                    .map(|order| order.trades.clone())
                    .unwrap_or_default();
                if hidden {
                    places.pop();
                }
                Reply::Trades(
                    places
                        .into_iter()
                        .map(|one| self.trades[one].clone())
                        .collect(),
                )
            }
            Request::Balances => Reply::Balances(
                self.accounts
                    .of(message.owner)
                    .map(|(asset, one)| (asset.to_owned(), one.free, one.held))
                    .collect(),
            ),
            Request::Markets => Reply::Markets(self.genesis.markets.clone()),
            Request::Book { market, after } => self.told_book(market, *after, hidden),
        }
    }

    fn told_book(&self, market: &str, after: Option<u64>, hidden: bool) -> Reply {
        let Some(found) = self.markets.iter().find(|one| one.spec.name == market) else {
            return Reply::Refused(format!("there is no market {market}"));
        };
        let oldest = found
            .changes
            .front()
            .map_or(u64::MAX, |change| change.previous);
        match after {
            Some(sequence) if sequence == found.book.sequence() => Reply::Changes(Vec::new()),
            Some(sequence) if sequence >= oldest && sequence < found.book.sequence() => {
                let newer = found.changes.iter().filter(|one| one.previous >= sequence);
                Reply::Changes(newer.skip(usize::from(hidden)).cloned().collect())
            }
            _ => Reply::Book(
                found.book.sequence(),
                found.book.depth(Side::Buy, usize::MAX),
                found.book.depth(Side::Sell, usize::MAX),
            ),
        }
    }

    /// An order of a name that may not be used again.
    fn known(&self, owner: OwnerId, client_id: &str) -> Option<OrderId> {
        let id = *self.by_client.get(&(owner, client_id.to_owned()))?;
        (self.is_open(id) || self.genesis.unique_client_ids).then_some(id)
    }

    #[expect(clippy::too_many_arguments, reason = "one order, in full")]
    fn take_in(
        &mut self,
        owner: OwnerId,
        client_id: String,
        place: usize,
        side: Side,
        price: u64,
        size: u64,
        time_in_force: TimeInForce,
    ) -> OrderId {
        let id = self.next_order;
        self.next_order += 1;
        let mut record = OrderRecord {
            id,
            owner,
            client_id: client_id.clone(),
            market: place,
            side,
            price,
            size,
            filled: 0,
            status: OrderStatus::Rejected,
            reason: String::new(),
            held: 0,
            taken: 0,
            made: 0,
            trades: Vec::new(),
        };
        let refusal = self.bound(&mut record).err();
        self.orders.insert(id, record);
        if let Some(reason) = refusal {
            self.change(id, |record| record.reason = reason);
            return id;
        }
        let book = &mut self.markets[place].book;
        match book.submit(id, owner, side, price, size, time_in_force) {
            Err(refusal) => {
                self.freed(id);
                self.change(id, |record| record.reason = refusal.to_string());
            }
            Ok(done) => {
                self.by_client.insert((owner, client_id), id);
                self.change(id, |record| record.status = OrderStatus::Open);
                for one in &done.matches {
                    self.matched(place, id, one);
                }
                for (displaced, _) in &done.displaced {
                    self.ended(*displaced, "it stood in the way of its owner's own order");
                }
                if done.cancelled > 0 {
                    self.ended(id, "what could not be taken at once was cancelled");
                }
            }
        }
        self.note_changes(place);
        id
    }

    /// Binds what an order may cost its owner; the reason why not.
    fn bound(&mut self, record: &mut OrderRecord) -> Result<(), String> {
        let spec = &self.markets[record.market].spec;
        if record.size > spec.most_lots {
            return Err(format!("the size is above {} lots", spec.most_lots));
        }
        let worth = spec.notional(record.price, record.size);
        let held = spec.hold(record.side == Side::Buy, record.price, record.size);
        let (Some(worth), Some(held)) = (worth, held) else {
            return Err("it is worth more than can be counted".into());
        };
        if worth < spec.least_notional {
            return Err(format!(
                "it is worth {worth}, least are {}",
                spec.least_notional
            ));
        }
        let gives = match record.side {
            Side::Buy => spec.quote.clone(),
            Side::Sell => spec.base.clone(),
        };
        if !self.accounts.hold(record.owner, &gives, held) {
            return Err(format!("it binds {held} of {gives}, less is free"));
        }
        record.held = held;
        Ok(())
    }

    fn matched(&mut self, place: usize, taker: OrderId, one: &Match) {
        self.matches += 1;
        self.settle(place, taker, one.price, one.size, false);
        self.settle(place, one.maker, one.price, one.size, true);
    }

    fn settle(&mut self, place: usize, id: OrderId, price: u64, size: u64, maker: bool) {
        let spec = self.markets[place].spec.clone();
        let known = self.trades.len();
        let Some(record) = self.orders.get_mut(&id) else {
            return;
        };
        // Bounded when the order was taken in: smaller parts fit as well.
        let worth = spec.notional(price, size).unwrap_or(0);
        let quantity = spec.quantity(size).unwrap_or(0);
        let before = spec.fee(record.taken, record.made);
        if maker {
            record.made += worth;
        } else {
            record.taken += worth;
        }
        let fee = spec.fee(record.taken, record.made) - before;
        record.filled += size;
        if record.filled == record.size {
            record.status = OrderStatus::Filled;
        }
        let left = record.size - record.filled;
        let (owner, side, held) = (record.owner, record.side, record.held);
        let needed = spec
            .hold(side == Side::Buy, record.price, left)
            .unwrap_or(0);
        let spent = match side {
            Side::Buy => worth.saturating_add_signed(fee),
            Side::Sell => quantity,
        };
        let other = owner == self.keepers || owner == self.takers;
        if !other {
            record.trades.push(known);
        }
        let rest = held.saturating_sub(spent);
        record.held = rest.min(needed);
        let (gives, gets) = match side {
            Side::Buy => (&spec.quote, &spec.base),
            Side::Sell => (&spec.base, &spec.quote),
        };
        self.accounts.spend(owner, gives, spent);
        self.accounts.release(owner, gives, rest - rest.min(needed));
        let got = match side {
            Side::Buy => quantity,
            Side::Sell => worth.saturating_add_signed(-fee),
        };
        self.accounts.credit(owner, gets, got);
        self.accounts.take_fee(&spec.quote, fee);
        if other {
            return;
        }
        self.trades.push(TradeRecord {
            id: self.matches,
            order: id,
            price,
            size,
            fee,
            maker,
            at_ms: self.now_ms,
        });
    }

    fn end(&mut self, id: OrderId, reason: &str) {
        let Some(place) = self.orders.get(&id).map(|order| order.market) else {
            return;
        };
        if self.markets[place].book.cancel(id).is_some() {
            self.ended(id, reason);
            self.note_changes(place);
        }
    }

    fn ended(&mut self, id: OrderId, reason: &str) {
        self.freed(id);
        self.change(id, |record| {
            record.status = OrderStatus::Cancelled;
            reason.clone_into(&mut record.reason);
        });
    }

    fn freed(&mut self, id: OrderId) {
        let Some(record) = self.orders.get_mut(&id) else {
            return;
        };
        let spec = &self.markets[record.market].spec;
        let gives = match record.side {
            Side::Buy => &spec.quote,
            Side::Sell => &spec.base,
        };
        self.accounts.release(record.owner, gives, record.held);
        record.held = 0;
    }

    fn note_changes(&mut self, place: usize) {
        let market = &mut self.markets[place];
        let levels = market.book.take_changes();
        if levels.is_empty() {
            return;
        }
        let previous = market.changes.back().map_or(0, |change| change.sequence);
        market.changes.push_back(Change {
            previous,
            sequence: market.book.sequence(),
            levels,
        });
        if market.changes.len() > MOST_CHANGES {
            market.changes.pop_front();
        }
    }

    fn is_open(&self, id: OrderId) -> bool {
        let found = self.orders.get(&id);
        found.is_some_and(|order| order.status == OrderStatus::Open)
    }

    fn change(&mut self, id: OrderId, change: impl FnOnce(&mut OrderRecord)) {
        if let Some(record) = self.orders.get_mut(&id) {
            change(record);
        }
    }

    /// Others' orders that have ended are nobody's business any more.
    fn forget_ended(&mut self) {
        if self.next_order < self.forget_at {
            return;
        }
        self.forget_at = self.next_order + FORGET_EVERY;
        let (keepers, takers) = (self.keepers, self.takers);
        let ended = |order: &OrderRecord| {
            order.status != OrderStatus::Open && order.client_id.starts_with(FLOW)
        };
        let gone: Vec<OrderId> = self
            .orders
            .values()
            .filter(|order| (order.owner == keepers || order.owner == takers) && ended(order))
            .map(|order| order.id)
            .collect();
        for id in gone {
            if let Some(order) = self.orders.remove(&id) {
                self.by_client.remove(&(order.owner, order.client_id));
            }
        }
        let orders = &self.orders;
        self.others.retain(|one| orders.contains_key(one));
    }

    fn fault(&mut self, method: Method) -> Option<FaultKind> {
        let count = self.counts.entry(method).or_default();
        *count += 1;
        let count = *count;
        for fault in &self.faults {
            let drawn = fault.per_mille > 0 && self.random.below(1000) < fault.per_mille;
            if fault.method == method && (drawn || fault.at.contains(&count)) {
                self.faulted += 1;
                return Some(fault.kind.clone());
            }
        }
        None
    }

    fn arrival(&self, ticket: Ticket) -> Option<u64> {
        self.under_way
            .keys()
            .find(|(_, one)| *one == ticket)
            .map(|(at, _)| *at)
    }

    fn owner(&self, account: &str) -> Result<OwnerId, ExchangeError> {
        self.accounts
            .find(account)
            .ok_or_else(|| ExchangeError::Unknown(format!("account {account}")))
    }

    fn place(&self, market: &str) -> Result<usize, ExchangeError> {
        self.markets
            .iter()
            .position(|one| one.spec.name == market)
            .ok_or_else(|| ExchangeError::Unknown(format!("market {market}")))
    }

    pub(crate) fn market_name(&self, place: usize) -> &str {
        &self.markets[place].spec.name
    }

    pub(crate) fn genesis(&self) -> &Genesis {
        &self.genesis
    }
}
