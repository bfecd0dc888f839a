# frozen_string_literal: true

module CurcLlm
  # GPUs of one kind, and how many.
  class Place
    attr_reader :gpu_name, :gpu, :count

    def initialize(gpu_name, gpu, count)
      @gpu_name, @gpu, @count = gpu_name, gpu, count
    end

    # The table's key.
    def key
      "#{gpu_name}:#{count}"
    end

    # What the form sends: no dots and underscores, which the portal's dynamic forms mangle.
    #
    #   Place.new("a100_80gb", {}, 2).slug # => "a100-80gb-x2"
    def slug
      "#{gpu_name.downcase.gsub(/[^a-z0-9]+/, '-')}-x#{count}"
    end

    # For people: "2 × A100 80 GB PCIe", "8 × H100 94 GB SXM on 2 nodes".
    def title
      nodes > 1 ? "#{count} × #{kind} on #{nodes} nodes" : "#{count} × #{kind}"
    end

    # Nodes that have so many; the planner takes the fewest.
    def nodes
      on_one = gpu['gpus_per_node'].to_i
      on_one.positive? ? (count.to_f / on_one).ceil : 1
    end

    # The kind of GPU without what only sellers say.
    def kind
      gpu['title'].sub(/\A(NVIDIA|AMD) /, '').sub(/( Blackwell)? Server Edition/, '').sub('MIG slice', 'MIG')
    end
  end
end
