# frozen_string_literal: true

module CurcLlm
  # What a form sent becomes a Launch, or a Refusal that names the value, what is allowed and what would work.
  # The portal itself checks nothing: everything that a browser shows can be changed before it is sent.
  class LaunchCheck
    OWN = 'own'
    NAME = /\A[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}\z/.freeze # Slurm's names of accounts and reservations
    LEAST_CONTEXT = 2048     # tokens; below this no plan is worth its price (plan/, "worth its cost")
    MOST_CONTEXT = 16_777_216 # tokens; no model has more
    IDLE_MIN = 30
    MOST_IDLE_MIN = 7 * 24 * 60
    MOST_ACCOUNTS = 5 # that a sentence names

    # @param table [LaunchTable]
    # @param accounts [Array<String>] the person's Slurm accounts; empty where nobody knows them
    def initialize(table, accounts: [])
      @table, @accounts = table, accounts
    end

    # @param values [Hash] field → what was sent
    # @return [Launch]
    # @raise [Refusal]
    def check(values)
      fields = Fields.new(values)
      model, own = model(fields)
      preset = preset(fields)
      place = place(fields, model)
      row = fitting_row(model, place, preset)
      hours = fields.whole(:bc_num_hours, 1..longest_h, hint: usual_hours)
      Launch.new(
        model: model, own_model: own, place: place, row: row, hours: hours, preset: preset,
        qos: qos(fields, model, place, preset, hours), context_tokens: context(fields, model, place, preset),
        account: account(fields), **manners(fields)
      )
    end

    private

    # @return [Array] the catalogue's name or nil, and what the person wrote or nil
    def model(fields)
      name = fields.text(:llm_model)
      return own(fields) if name == OWN
      raise Refusal.new('No model was chosen.', suggest_model('')) if name.empty?

      @table.models.key?(name) ? [name, nil] : fields.refuse(:llm_model, name, 'isn\'t in the list', suggest_model(name))
    end

    def own(fields)
      said = fields.text(:llm_own_model)
      known = @table.find_model(said)
      return [known, nil] if known
      return [nil, said.delete_suffix('/')] if OwnModel.name?(said)

      allowed = 'must be an id of the Hugging Face hub or the full path of a folder'
      fields.refuse(:llm_own_model, said, allowed, OwnModel::REMEDY)
    end

    def suggest_model(name)
      near = Wording.nearest(name, @table.offered.keys)
      near.empty? ? 'Choose one from the list, such as gpt-oss-20b.' : "Did you mean #{Wording.list(near)}?"
    end

    def preset(fields)
      name = fields.text(:llm_preset)
      known = @table.presets.select { |_, preset| preset['has_plans'] }.keys
      return name if name.empty? || known.include?(name)

      fields.refuse(:llm_preset, name, "must be one of #{Wording.list(known)}", 'Or leave it empty.')
    end

    def place(fields, model)
      slug = fields.text(:llm_gpus)
      place = @table.place(slug)
      return place if place

      like = most_like(slug)
      remedy = Nearest.new(@table, model, like: like).sentence
      raise Refusal.new('No GPUs were chosen.', remedy) if slug.empty?

      most = like ? "; #{like.kind} comes in at most #{like.count} for one launch" : ''
      fields.refuse(:llm_gpus, slug, "isn't one that #{@table.site['title']} has#{most}", remedy)
    end

    # For a known kind in an impossible number: its largest number.
    def most_like(slug)
      kind = slug[/\A([a-z0-9-]{1,40})-x[0-9]+\z/, 1]
      @table.places.select { |place| place.slug.delete_suffix("-x#{place.count}") == kind }.max_by(&:count)
    end

    def fitting_row(model, place, preset)
      row = model ? @table.row(model, place, preset) : @table.generous_row(place)
      return row if row&.fits?

      reason = row ? row.reason : "No model of the list runs on #{place.title}, so yours won't either."
      raise Refusal.new("#{reason.delete_suffix('.')}.", Nearest.new(@table, model, preset: preset).sentence(row))
    end

    def longest_h
      @table.places.map { |place| Term.new(@table, place).longest_h }.max.to_i
    end

    def usual_hours
      "Leave it at #{Wording.number(@table.site['default_hours'])} if you are unsure."
    end

    def qos(fields, model, place, preset, hours)
      wanted = fields.text(:llm_qos)
      check_qos(fields, wanted, place) unless wanted.empty?
      term = Term.new(@table, place, preset: preset, wanted: wanted)
      found = term.find(hours)
      return found if found

      refuse_qos(term, Term.new(@table, place, preset: preset).find(hours), place, hours)
      refuse_hours(term, Nearest.new(@table, model, hours: hours, preset: preset), place, hours)
    end

    def check_qos(fields, wanted, place)
      limits = Term.new(@table, place).limits
      takers = "#{place.kind} has #{Wording.list(limits.keys, 'and')}"
      remedy = 'Leave it on automatic, and the right one is chosen.'
      fields.refuse(:llm_qos, wanted, "isn't one that takes these GPUs (#{takers})", remedy) unless limits.key?(wanted)
      most = limits[wanted]
      return if most.nil? || place.count <= most

      fields.refuse(:llm_qos, wanted, "gives one person #{most} of these GPUs; #{place.count} were chosen", remedy)
    end

    # The same GPUs for the same hours, where only the QoS that was chosen stands in the way.
    def refuse_qos(term, other, place, hours)
      return if other.nil?

      limit = hours > term.longest_h ? "allows #{Wording.count(term.longest_h, 'hour')}"
                                     : "takes #{Wording.count(term.shortest_h, 'hour')} at least"
      most = Term.new(@table, place, wanted: other).longest_h
      raise Refusal.new("QoS #{term.wanted} #{limit}; #{Wording.number(hours)} were asked for.",
                        "QoS #{other} allows #{Wording.number(most)} on these GPUs: choose it or leave QoS on automatic.")
    end

    def refuse_hours(term, nearest, place, hours)
      asked = "#{Wording.number(hours)} were asked for"
      if hours > term.longest_h
        longest = Wording.count(term.longest_h, 'hour')
        others = nearest.places
        others = others.empty? ? '' : " For #{hours} hours take #{nearest.describe(others)}#{', with QoS on automatic' unless term.wanted.empty?}."
        raise Refusal.new("#{place.title} may run #{longest} at most; #{asked}.", "Choose #{longest}.#{others}")
      end
      least = Wording.count(term.shortest_h, 'hour')
      raise Refusal.new("#{place.title} must run #{least} at least; #{asked}.", "Choose #{least}.")
    end

    def context(fields, model, place, preset)
      said = fields.text(:llm_context)
      return nil if said.empty?

      most = model ? @table.models[model]['max_context_tokens'] : MOST_CONTEXT
      tokens = fields.whole(:llm_context, LEAST_CONTEXT..most, hint: 'Leave it on automatic if you are unsure.')
      holds = model ? @table.longest_context(model, place, preset) : most
      return tokens if tokens <= holds

      fits = "#{place.title} holds #{Wording.number(holds)} tokens of it at most"
      raise Refusal.new("A context of #{Wording.number(tokens)} tokens was asked for, but #{fits}.",
                        roomier(model, tokens) || "Choose #{Wording.number(holds)} or fewer.")
    end

    def roomier(model, tokens)
      place = @table.fitting(model).select { |found, _| @table.longest_context(model, found) >= tokens }
                    .reject { |found, _| found.gpu['on_request'] }.min_by { |_, row| row.su_per_h }&.first
      place && "This works: #{place.title}."
    end

    def account(fields)
      name = fields.word(:auto_accounts, NAME, 'must be the name of a Slurm account: letters, digits and . _ + -', own_account)
      return own_only(fields, name) unless name.empty? && @table.site['account_required']

      raise Refusal.new("#{@table.site['title']} needs an account, but none was chosen.", own_account)
    end

    def own_only(fields, name)
      return name if name.empty? || @accounts.empty? || @accounts.include?(name)

      fields.refuse(:auto_accounts, name, 'isn\'t one of yours in Slurm', own_account)
    end

    def own_account
      return "Choose one of your own, such as #{@table.site['accounts'].first}." if @accounts.empty?

      "Choose one of your own: #{Wording.list(@accounts.first(MOST_ACCOUNTS))}."
    end

    def manners(fields)
      {
        idle_min: fields.whole(:llm_idle_min, 0..MOST_IDLE_MIN, empty: IDLE_MIN, hint: '0 means never.'),
        reservation: fields.word(:llm_reservation, NAME, 'must be a reservation as Slurm prints it',
                                 'Leave it empty unless your centre gave you one.'),
        mails: mails?(fields), adapters: AdapterList.check(fields.text(:llm_adapters))
      }
    end

    def mails?(fields)
      said = fields.text(:llm_mail)
      fields.refuse(:llm_mail, said, 'must be 1 for yes or 0 for no', 'Tick the box, or don\'t.') unless ['', '0', '1'].include?(said)
      said == '1'
    end
  end
end
