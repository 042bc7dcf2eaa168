"""The catalogue: every family, and the functions on encoded data. `from dmlcore.stats import *` gives what `__all__` lists."""

from typing import TYPE_CHECKING

from dmlcore.base.lazy import lazily
from dmlcore.stats.combinators.composite import CompositeDistribution, CompositeEstimator
from dmlcore.stats.combinators.ignored import IgnoredDistribution, IgnoredEstimator
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.combinators.optional import OptionalDistribution, OptionalEstimator
from dmlcore.stats.combinators.times import TimeDistribution, TimeEstimator
from dmlcore.stats.combinators.weighted import WeightedDistribution, WeightedEstimator
from dmlcore.stats.latent.censored import CensoredDistribution, CensoredEstimator
from dmlcore.stats.latent.conditional import ConditionalDistribution, ConditionalDistributionEstimator
from dmlcore.stats.latent.gated_hidden_markov import GatedHiddenMarkovEstimator, GatedHiddenMarkovModelDistribution
from dmlcore.stats.latent.gated_mixture import GatedMixtureDistribution, GatedMixtureEstimator
from dmlcore.stats.latent.hidden_association import HiddenAssociationDistribution, HiddenAssociationEstimator
from dmlcore.stats.latent.hidden_markov import HiddenMarkovEstimator, HiddenMarkovModelDistribution
from dmlcore.stats.latent.hierarchical_mixture import HierarchicalMixtureDistribution, HierarchicalMixtureEstimator
from dmlcore.stats.latent.hurdle import HurdleDistribution, HurdleEstimator
from dmlcore.stats.latent.integer_hidden_association import IntegerHiddenAssociationDistribution, IntegerHiddenAssociationEstimator
from dmlcore.stats.latent.integer_plsi import IntegerPLSIDistribution, IntegerPLSIEstimator
from dmlcore.stats.latent.joint_mixture import JointMixtureDistribution, JointMixtureEstimator
from dmlcore.stats.latent.lda import LDADistribution, LDAEstimator
from dmlcore.stats.latent.lookback import LookbackDistribution, LookbackEstimator
from dmlcore.stats.latent.mixture import (
    HeterogeneousMixtureDistribution,
    HeterogeneousMixtureEstimator,
    MixtureDistribution,
    MixtureEstimator,
)
from dmlcore.stats.latent.named_chains import (
    IntegerHiddenMarkovEstimator,
    IntegerHiddenMarkovModelDistribution,
    LookbackHiddenMarkovDistribution,
    LookbackHiddenMarkovEstimator,
)
from dmlcore.stats.latent.named_mixtures import (
    DiagonalGaussianMixtureDistribution,
    DiagonalGaussianMixtureEstimator,
    DiracMixtureDistribution,
    DiracMixtureEstimator,
    GaussianMixtureDistribution,
    GaussianMixtureEstimator,
)
from dmlcore.stats.latent.semi_supervised_mixture import SemiSupervisedMixtureDistribution, SemiSupervisedMixtureEstimator
from dmlcore.stats.latent.sparse_markov_association import SparseMarkovAssociationDistribution, SparseMarkovAssociationEstimator
from dmlcore.stats.latent.tree_hidden_markov import TreeHiddenMarkovEstimator, TreeHiddenMarkovModelDistribution
from dmlcore.stats.latent.truncated import TruncatedDistribution, TruncatedEstimator
from dmlcore.stats.latent.zero_inflated import ZeroInflatedDistribution, ZeroInflatedEstimator
from dmlcore.stats.multivariate.diagonal_gaussian import DiagonalGaussianDistribution, DiagonalGaussianEstimator
from dmlcore.stats.multivariate.dirichlet import DirichletDistribution, DirichletEstimator
from dmlcore.stats.multivariate.factor_analyzer import FactorAnalyzerDistribution, FactorAnalyzerEstimator
from dmlcore.stats.multivariate.icl_tree import ICLTreeDistribution, ICLTreeEstimator
from dmlcore.stats.multivariate.multivariate_gaussian import (
    MultivariateGaussianDistribution,
    MultivariateGaussianEstimator,
    PartialGaussianDistribution,
    PartialGaussianEstimator,
)
from dmlcore.stats.multivariate.multivariate_student_t import MultivariateStudentTDistribution, MultivariateStudentTEstimator
from dmlcore.stats.multivariate.spearman_ranking import SpearmanRankingDistribution, SpearmanRankingEstimator
from dmlcore.stats.multivariate.structured_gaussian import (
    PartialStructuredGaussianDistribution,
    PartialStructuredGaussianEstimator,
    StructuredGaussianDistribution,
    StructuredGaussianEstimator,
)
from dmlcore.stats.multivariate.uniform_vector import UniformVectorDistribution, UniformVectorEstimator
from dmlcore.stats.multivariate.von_mises_fisher import VonMisesFisherDistribution, VonMisesFisherEstimator
from dmlcore.stats.regression.beta_regression import BetaRegressionDistribution, BetaRegressionEstimator
from dmlcore.stats.regression.gamma_regression import GammaRegressionDistribution, GammaRegressionEstimator
from dmlcore.stats.regression.glm.common_parameters import CommonParametersDistribution, CommonParametersEstimator
from dmlcore.stats.regression.linear_mixed_regression import LinearMixedRegressionDistribution, LinearMixedRegressionEstimator
from dmlcore.stats.regression.linear_regression import LinearRegressionDistribution, LinearRegressionEstimator
from dmlcore.stats.regression.logistic_regression import LogisticRegressionDistribution, LogisticRegressionEstimator
from dmlcore.stats.regression.multinomial_logistic_regression import (
    MultinomialLogisticRegressionDistribution,
    MultinomialLogisticRegressionEstimator,
)
from dmlcore.stats.regression.negative_binomial_regression import (
    NegativeBinomialRegressionDistribution,
    NegativeBinomialRegressionEstimator,
)
from dmlcore.stats.regression.ordinal_regression import OrdinalRegressionDistribution, OrdinalRegressionEstimator
from dmlcore.stats.regression.poisson_regression import PoissonRegressionDistribution, PoissonRegressionEstimator
from dmlcore.stats.regression.weibull_regression import WeibullRegressionDistribution, WeibullRegressionEstimator
from dmlcore.stats.sequences.bernoulli_edit import BernoulliEditDistribution, BernoulliEditEstimator
from dmlcore.stats.sequences.bernoulli_set import BernoulliSetDistribution, BernoulliSetEstimator
from dmlcore.stats.sequences.integer_bernoulli_edit import (
    IntegerBernoulliEditDistribution,
    IntegerBernoulliEditEstimator,
    IntegerStepBernoulliEditDistribution,
    IntegerStepBernoulliEditEstimator,
)
from dmlcore.stats.sequences.integer_bernoulli_set import IntegerBernoulliSetDistribution, IntegerBernoulliSetEstimator
from dmlcore.stats.sequences.integer_markov_chain import IntegerMarkovChainDistribution, IntegerMarkovChainEstimator
from dmlcore.stats.sequences.markov_chain import MarkovChainDistribution, MarkovChainEstimator
from dmlcore.stats.sequences.multinomial import (
    IntegerMultinomialDistribution,
    IntegerMultinomialEstimator,
    MultinomialDistribution,
    MultinomialEstimator,
)
from dmlcore.stats.sequences.sequence import SequenceDistribution, SequenceEstimator
from dmlcore.stats.univariate.beta import BetaDistribution, BetaEstimator
from dmlcore.stats.univariate.binomial import BinomialDistribution, BinomialEstimator
from dmlcore.stats.univariate.categorical import CategoricalDistribution, CategoricalEstimator
from dmlcore.stats.univariate.exponential import ExponentialDistribution, ExponentialEstimator
from dmlcore.stats.univariate.gamma import GammaDistribution, GammaEstimator
from dmlcore.stats.univariate.gaussian import GaussianDistribution, GaussianEstimator
from dmlcore.stats.univariate.geometric import GeometricDistribution, GeometricEstimator
from dmlcore.stats.univariate.integer_categorical import IntegerCategoricalDistribution, IntegerCategoricalEstimator
from dmlcore.stats.univariate.inverse_gaussian import InverseGaussianDistribution, InverseGaussianEstimator
from dmlcore.stats.univariate.laplace import LaplaceDistribution, LaplaceEstimator
from dmlcore.stats.univariate.log_gaussian import LogGaussianDistribution, LogGaussianEstimator
from dmlcore.stats.univariate.negative_binomial import NegativeBinomialDistribution, NegativeBinomialEstimator
from dmlcore.stats.univariate.ordinal import OrdinalDistribution, OrdinalEstimator
from dmlcore.stats.univariate.point_mass import PointMassDistribution, PointMassEstimator
from dmlcore.stats.univariate.poisson import PoissonDistribution, PoissonEstimator
from dmlcore.stats.univariate.spike_and_slab import SpikeAndSlabDistribution, SpikeAndSlabEstimator
from dmlcore.stats.univariate.student_t import StudentTDistribution, StudentTEstimator
from dmlcore.stats.univariate.uniform import UniformDistribution, UniformEstimator
from dmlcore.stats.univariate.von_mises import VonMisesDistribution, VonMisesEstimator
from dmlcore.stats.univariate.weibull import WeibullDistribution, WeibullEstimator

if TYPE_CHECKING:
    from dmlcore.fitting.drivers import (
        estimate,
        initialize,
        seq_encode,
        seq_estimate,
        seq_initialize,
        seq_log_density,
        seq_log_density_sum,
    )
    from dmlcore.io.json import dump_models, load_models
else:
    __getattr__ = lazily(
        __name__,
        {
            "dmlcore.fitting.drivers": "estimate initialize seq_encode seq_estimate seq_initialize seq_log_density seq_log_density_sum",
            "dmlcore.io.json": "dump_models load_models",
        },
    )

__all__ = [
    "BernoulliEditDistribution",
    "BernoulliEditEstimator",
    "BernoulliSetDistribution",
    "BernoulliSetEstimator",
    "BetaDistribution",
    "BetaEstimator",
    "BetaRegressionDistribution",
    "BetaRegressionEstimator",
    "BinomialDistribution",
    "BinomialEstimator",
    "CategoricalDistribution",
    "CategoricalEstimator",
    "CensoredDistribution",
    "CensoredEstimator",
    "CommonParametersDistribution",
    "CommonParametersEstimator",
    "CompositeDistribution",
    "CompositeEstimator",
    "ConditionalDistribution",
    "ConditionalDistributionEstimator",
    "DiagonalGaussianDistribution",
    "DiagonalGaussianEstimator",
    "DiagonalGaussianMixtureDistribution",
    "DiagonalGaussianMixtureEstimator",
    "DiracMixtureDistribution",
    "DiracMixtureEstimator",
    "DirichletDistribution",
    "DirichletEstimator",
    "ExponentialDistribution",
    "ExponentialEstimator",
    "FactorAnalyzerDistribution",
    "FactorAnalyzerEstimator",
    "GammaDistribution",
    "GammaEstimator",
    "GammaRegressionDistribution",
    "GammaRegressionEstimator",
    "GatedHiddenMarkovEstimator",
    "GatedHiddenMarkovModelDistribution",
    "GatedMixtureDistribution",
    "GatedMixtureEstimator",
    "GaussianDistribution",
    "GaussianEstimator",
    "GaussianMixtureDistribution",
    "GaussianMixtureEstimator",
    "GeometricDistribution",
    "GeometricEstimator",
    "HeterogeneousMixtureDistribution",
    "HeterogeneousMixtureEstimator",
    "HiddenAssociationDistribution",
    "HiddenAssociationEstimator",
    "HiddenMarkovEstimator",
    "HiddenMarkovModelDistribution",
    "HierarchicalMixtureDistribution",
    "HierarchicalMixtureEstimator",
    "HurdleDistribution",
    "HurdleEstimator",
    "ICLTreeDistribution",
    "ICLTreeEstimator",
    "IgnoredDistribution",
    "IgnoredEstimator",
    "IntegerBernoulliEditDistribution",
    "IntegerBernoulliEditEstimator",
    "IntegerBernoulliSetDistribution",
    "IntegerBernoulliSetEstimator",
    "IntegerCategoricalDistribution",
    "IntegerCategoricalEstimator",
    "IntegerHiddenAssociationDistribution",
    "IntegerHiddenAssociationEstimator",
    "IntegerHiddenMarkovEstimator",
    "IntegerHiddenMarkovModelDistribution",
    "IntegerMarkovChainDistribution",
    "IntegerMarkovChainEstimator",
    "IntegerMultinomialDistribution",
    "IntegerMultinomialEstimator",
    "IntegerPLSIDistribution",
    "IntegerPLSIEstimator",
    "IntegerStepBernoulliEditDistribution",
    "IntegerStepBernoulliEditEstimator",
    "InverseGaussianDistribution",
    "InverseGaussianEstimator",
    "JointMixtureDistribution",
    "JointMixtureEstimator",
    "LDADistribution",
    "LDAEstimator",
    "LaplaceDistribution",
    "LaplaceEstimator",
    "LinearMixedRegressionDistribution",
    "LinearMixedRegressionEstimator",
    "LinearRegressionDistribution",
    "LinearRegressionEstimator",
    "LogGaussianDistribution",
    "LogGaussianEstimator",
    "LogisticRegressionDistribution",
    "LogisticRegressionEstimator",
    "LookbackDistribution",
    "LookbackEstimator",
    "LookbackHiddenMarkovDistribution",
    "LookbackHiddenMarkovEstimator",
    "MarkovChainDistribution",
    "MarkovChainEstimator",
    "MixtureDistribution",
    "MixtureEstimator",
    "MultinomialDistribution",
    "MultinomialEstimator",
    "MultinomialLogisticRegressionDistribution",
    "MultinomialLogisticRegressionEstimator",
    "MultivariateGaussianDistribution",
    "MultivariateGaussianEstimator",
    "MultivariateStudentTDistribution",
    "MultivariateStudentTEstimator",
    "NegativeBinomialDistribution",
    "NegativeBinomialEstimator",
    "NegativeBinomialRegressionDistribution",
    "NegativeBinomialRegressionEstimator",
    "NullDistribution",
    "NullEstimator",
    "OptionalDistribution",
    "OptionalEstimator",
    "OrdinalDistribution",
    "OrdinalEstimator",
    "OrdinalRegressionDistribution",
    "OrdinalRegressionEstimator",
    "PartialGaussianDistribution",
    "PartialGaussianEstimator",
    "PartialStructuredGaussianDistribution",
    "PartialStructuredGaussianEstimator",
    "PointMassDistribution",
    "PointMassEstimator",
    "PoissonDistribution",
    "PoissonEstimator",
    "PoissonRegressionDistribution",
    "PoissonRegressionEstimator",
    "SemiSupervisedMixtureDistribution",
    "SemiSupervisedMixtureEstimator",
    "SequenceDistribution",
    "SequenceEstimator",
    "SparseMarkovAssociationDistribution",
    "SparseMarkovAssociationEstimator",
    "SpearmanRankingDistribution",
    "SpearmanRankingEstimator",
    "SpikeAndSlabDistribution",
    "SpikeAndSlabEstimator",
    "StructuredGaussianDistribution",
    "StructuredGaussianEstimator",
    "StudentTDistribution",
    "StudentTEstimator",
    "TimeDistribution",
    "TimeEstimator",
    "TreeHiddenMarkovEstimator",
    "TreeHiddenMarkovModelDistribution",
    "TruncatedDistribution",
    "TruncatedEstimator",
    "UniformDistribution",
    "UniformEstimator",
    "UniformVectorDistribution",
    "UniformVectorEstimator",
    "VonMisesDistribution",
    "VonMisesEstimator",
    "VonMisesFisherDistribution",
    "VonMisesFisherEstimator",
    "WeibullDistribution",
    "WeibullEstimator",
    "WeibullRegressionDistribution",
    "WeibullRegressionEstimator",
    "WeightedDistribution",
    "WeightedEstimator",
    "ZeroInflatedDistribution",
    "ZeroInflatedEstimator",
    "dump_models",
    "estimate",
    "initialize",
    "load_models",
    "seq_encode",
    "seq_estimate",
    "seq_initialize",
    "seq_log_density",
    "seq_log_density_sum",
]
